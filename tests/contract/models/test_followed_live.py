"""What the keeper publishes, a watcher loads: both families, shadows, a model that kills its library."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np
import pytest

from streams.models.watcher import ModelWatcher
from tests.support.boosters import Recipe, Table, lightgbm_artifact, xgboost_artifact
from tests.support.models import manifest_of
from training.publish import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import AlertSender
    from streams.broker import Broker
    from streams.messages import Manifest
    from tests.support.policies import Alerts

PATIENCE_S = 60.0
FIT = {"lightgbm": lightgbm_artifact, "xgboost": xgboost_artifact}


@pytest.fixture
def watcher(declared: Pipeline, embedded_broker: Broker, alerts: Alerts) -> Iterator[ModelWatcher]:
    watcher = ModelWatcher(embedded_broker.bootstrap, declared, cast("AlertSender", alerts))
    watcher.start()
    yield watcher
    watcher.stop()
    assert watcher.failure is None


def model(pipeline: Pipeline, family: str, version: str) -> tuple[Manifest, bytes]:
    random = np.random.default_rng(1)
    matrix = random.normal(size=(300, len(pipeline.feature_vector)))
    artifact = FIT[family](Table(matrix, (matrix[:, 0] > 0).astype(np.float64)), Recipe())
    return msgspec.structs.replace(manifest_of(pipeline, version, artifact), family=family), artifact


def test_releases_and_shadows_are_taken_and_what_kills_a_library_is_not(
    declared: Pipeline, embedded_broker: Broker, watcher: ModelWatcher, alerts: Alerts
) -> None:
    keeper = Publisher(embedded_broker.bootstrap, declared, lambda: "2026-01-05T00:00:00Z")
    rows = np.random.default_rng(2).normal(size=(20, len(declared.feature_vector)))
    for version, family in (("m1", "lightgbm"), ("m2", "xgboost")):
        release = keeper.publish(*model(declared, family, version), "test")
        assert watcher.wait_for(release.epoch, PATIENCE_S)
        champion = watcher.acting.champion
        assert champion is not None
        assert champion.version == version
        assert champion.packed is not None
        assert champion.engine.name in {family, f"{family}-packed"}
        assert champion.base is not None
        contributions = champion.contributions(rows, np.arange(20))
        assert contributions is not None
        assert np.allclose(champion.base + contributions.sum(axis=1), champion.margins(rows), rtol=1e-9)
    champion = watcher.acting.champion
    whole = model(declared, "lightgbm", "m3")
    half = whole[1][: len(whole[1]) // 2]
    release = keeper.publish(manifest_of(declared, "m3", half), half, "test")
    assert watcher.wait_for(release.epoch, PATIENCE_S)
    assert watcher.acting.champion is champion
    assert alerts.kinds == ["model_rejected"]
    release = keeper.promote("m1")
    assert watcher.wait_for(release.epoch, PATIENCE_S)
    keeper.shadow("m2")
    starting = ModelWatcher(embedded_broker.bootstrap, declared, cast("AlertSender", alerts))
    starting.start()
    try:
        assert starting.acting.epoch > release.epoch
        assert starting.acting.champion is not None
        assert starting.acting.champion.version == "m1"
        with starting._heard:
            assert starting._heard.wait_for(lambda: starting.acting.shadows, PATIENCE_S)
        assert [shadow.version for shadow in starting.acting.shadows] == ["m2"]
    finally:
        starting.stop()
