"""A canary and rollbacks on real processes: what acts is seen on the decisions, what became of it is told."""

from __future__ import annotations

import signal
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from msgspec.structs import replace

from streams.messages import Alert, Calibration, Decision, FeatureRef
from streams.models.canary import CanaryDraw
from tests.support.kafka import feed_of, read_all, read_until
from tests.support.models import small_model
from tests.support.payments import encoded, private_pipeline
from tests.support.processes import keeper, scorer
from tests.unit.keeper.written import until
from training.keeper.client import KeeperClient, KeeperUnreachableError
from training.publish import Publisher
from training.releases import shadow
from training.score_bins import bins_of

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

pytestmark = pytest.mark.acceptance

DECLARED: dict[str, Any] = {
    "training": {"release": {"rollback": {"window": "8s", "least": 150, "score_shift": 0.5}}}
}
FEW, SOME = 60, 200


@pytest.mark.kafka
def test_on_apache_kafka(apache_kafka: Broker, unique: str, tmp_path: Path) -> None:
    _canary_and_rollbacks(apache_kafka, unique, tmp_path)


def test_on_the_embedded_broker(embedded_broker: Broker, unique: str, tmp_path: Path) -> None:
    _canary_and_rollbacks(embedded_broker, unique, tmp_path)


def _canary_and_rollbacks(broker: Broker, unique: str, folder: Path) -> None:
    config, pipeline = private_pipeline(folder, unique, **DECLARED)
    bootstrap, numbers = broker.bootstrap, count()
    feed = feed_of(pipeline, bootstrap)
    publisher = Publisher(bootstrap, pipeline, lambda: "2026-01-05T00:00:00Z")
    _publish(publisher, pipeline)

    def decide(events: int) -> None:
        sent = [next(numbers) for _ in range(events)]
        feed.send(encoded(number) for number in sent)
        read_until(bootstrap, [pipeline.topics.decisions], lambda seen: len(seen) > sent[-1])

    def decided(model: str, epoch: int) -> None:
        """Send until ``model`` decides under ``epoch``."""
        until(lambda: _newest(pipeline, bootstrap).get(epoch) == {model}, lambda: decide(10))

    with scorer(config, bootstrap), keeper(config, bootstrap) as keeping:
        client = _client(folder / "state")
        canary = client.promote("m2", 0.5)
        until(lambda: canary["epoch"] in _newest(pipeline, bootstrap), lambda: decide(10))
        decide(FEW)
        champion = client.promote("m2")
        until(lambda: publisher.read().release.champion == "m1", lambda: decide(SOME))  # type: ignore[union-attr]
        back = publisher.read().release
        assert back is not None
        decided("m1", back.epoch)
        misfit = client.promote("m3", 0.5)
        until(lambda: publisher.read().release.canary is None, lambda: decide(SOME))  # type: ignore[union-attr]
        last = publisher.read().release
        assert last is not None
        decided("m1", last.epoch)
        states = {each["version"]: each for each in client.models()["registry"]}
        keeping.send_signal(signal.SIGTERM)
        assert keeping.wait(60) == 0
    assert (champion["epoch"], back.epoch, misfit["epoch"]) == (
        canary["epoch"] + 1,
        canary["epoch"] + 2,
        canary["epoch"] + 3,
    )
    assert (back.withdrawn, back.by, last.withdrawn) == ("m2", "policy", "m3")
    assert "population stability index" in back.why
    assert {version: each["state"] for version, each in states.items()} == {
        "m1": "champion",
        "m2": "rolled_back",
        "m3": "rolled_back",
    }
    _check_canary(pipeline, bootstrap, canary["epoch"])
    _check_misfit(pipeline, bootstrap, misfit["epoch"])


def _publish(publisher: Publisher, pipeline: Pipeline) -> None:
    """A champion; one beside it that scores as it was never judged to; one that no scorer can run."""
    manifest, artifact = small_model(pipeline, "m1")
    publisher.publish(manifest, artifact, "test")
    manifest, artifact = small_model(pipeline, "m2", seed=2)
    low = bins_of(np.linspace(0.001, 0.1, 1_000), np.ones(1_000))
    shifted = replace(manifest, calibration=Calibration(1.0, 6.0), score_bins=low)
    publisher.publish(shifted, artifact, "test", step=shadow("m2"))
    manifest, artifact = small_model(pipeline, "m3", seed=3)
    features = [FeatureRef(each.name, "0" * 16) for each in manifest.features]
    publisher.publish(replace(manifest, features=features), artifact, "test", step=shadow("m3"))
    publisher.unshadow("m3")
    publisher.shadow("m3")  # by hand: the keeper does not move it on


def _client(state_dir: Path) -> KeeperClient:
    found: list[KeeperClient] = []

    def there() -> bool:
        try:
            found.append(KeeperClient(state_dir))
            found[0].status()
        except KeeperUnreachableError:
            found.clear()
            return False
        return True

    until(there, lambda: threading.Event().wait(0.2))
    return found[0]


def _decisions(pipeline: Pipeline, bootstrap: str) -> list[Decision]:
    found = read_all(bootstrap, pipeline.topics.decisions)
    return [msgspec.json.decode(record.value, type=Decision) for record in found]


def _newest(pipeline: Pipeline, bootstrap: str) -> dict[int, set[str | None]]:
    """Epoch -> the models that decided under it."""
    found: dict[int, set[str | None]] = {}
    for each in _decisions(pipeline, bootstrap):
        found.setdefault(each.release, set()).add(each.model)
    return found


def _check_canary(pipeline: Pipeline, bootstrap: str, epoch: int) -> None:
    """Each event was decided by who its customer was drawn for, and scored by both."""
    found = [each for each in _decisions(pipeline, bootstrap) if each.release == epoch]
    customers = [f"c{int(each.event_id[1:]) % 50}" for each in found]
    drawn = CanaryDraw(pipeline.name, "m2", 0.5).drawn(pa.array(customers)).tolist()
    assert {*drawn} == {True, False}
    assert [each.model for each in found] == ["m2" if each else "m1" for each in drawn]
    assert [[*each.shadow] for each in found] == [["m1"] if each else ["m2"] for each in drawn]


def _check_misfit(pipeline: Pipeline, bootstrap: str, epoch: int) -> None:
    """The champion decided in place of the canary that could not be loaded, and that was said."""
    models = {each.model for each in _decisions(pipeline, bootstrap) if each.release == epoch}
    assert models == {"m1"}
    alerts = [
        msgspec.json.decode(record.value, type=Alert).kind
        for record in read_all(bootstrap, pipeline.topics.alerts)
    ]
    assert {"canary_rejected", "rollback"} <= {*alerts}
    assert alerts.count("rollback") == 2
