"""A scorer that asks for signatures, and artifacts in a store, on a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from feature_store.declaration.artifacts import ArtifactSpec
from streams.explainer.models import Models
from streams.kafka import plain_producer
from streams.messages.model import release_key
from streams.models import retry
from streams.models.watcher import ModelWatcher
from tests.support.models import small_model
from training.publish import Publisher, read_models
from training.signing import Signer, load_key, make_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import AlertSender
    from streams.broker import Broker
    from streams.messages import Release
    from tests.support.policies import Alerts

PATIENCE_S = 60.0
NOW = "2026-01-05T00:00:00Z"


@pytest.fixture
def watching(embedded_broker: Broker, alerts: Alerts) -> Iterator[Callable[[Pipeline], ModelWatcher]]:
    """Start a watcher, as a scorer does."""
    started: list[ModelWatcher] = []

    def start(pipeline: Pipeline) -> ModelWatcher:
        started.append(ModelWatcher(embedded_broker.bootstrap, pipeline, cast("AlertSender", alerts)))
        started[-1].start()
        return started[-1]

    yield start
    for watcher in started:
        watcher.stop()
        assert watcher.failure is None


def signer(pipeline: Pipeline, path: Path) -> Signer:
    make_key(path)
    return Signer(pipeline.name, load_key(path))


def trusting(pipeline: Pipeline, *signers: Signer) -> Pipeline:
    keys = tuple(str(each.public_key) for each in signers)
    return pipeline.model_copy(update={"serving": pipeline.serving.model_copy(update={"trusted_keys": keys})})


def storing(pipeline: Pipeline, folder: Path, inline_below: int = 0) -> Pipeline:
    spec = ArtifactSpec(store=str(folder), inline_below=inline_below)
    return pipeline.model_copy(update={"training": pipeline.training.model_copy(update={"artifacts": spec})})


def acting(watcher: ModelWatcher) -> tuple[int, str | None]:
    champion = watcher.acting.champion
    return watcher.acting.epoch, None if champion is None else champion.version


def test_only_what_is_signed_acts(
    declared: Pipeline,
    embedded_broker: Broker,
    tmp_path: Path,
    watching: Callable[[Pipeline], ModelWatcher],
    alerts: Alerts,
) -> None:
    ours, thief = signer(declared, tmp_path / "ours"), signer(declared, tmp_path / "thief")
    pipeline = trusting(declared, ours)
    keeper = Publisher(embedded_broker.bootstrap, pipeline, lambda: NOW, signer=ours)
    intruder = Publisher(embedded_broker.bootstrap, declared, lambda: NOW)
    watcher = watching(pipeline)
    first = keeper.publish(*small_model(declared, "m1"), "ours")
    assert watcher.wait_for(first.epoch, PATIENCE_S)
    second = keeper.publish(*small_model(declared, "m2"), "ours")
    assert watcher.wait_for(second.epoch, PATIENCE_S)
    assert acting(watcher) == (2, "m2")

    forged = intruder.publish(*small_model(declared, "evil"), "unsigned")
    assert watcher.wait_for(forged.epoch, PATIENCE_S)
    stolen = Publisher(embedded_broker.bootstrap, declared, lambda: NOW, signer=thief).promote("m1")
    assert watcher.wait_for(stolen.epoch, PATIENCE_S)
    assert acting(watcher) == (2, "m2")
    assert alerts.kinds == ["model_rejected", "model_rejected"]
    assert "not signed" in alerts.raised[0][1]
    assert "not in serving.trusted_keys" in alerts.raised[1][1]

    replayed(embedded_broker.bootstrap, pipeline, first)
    healed = keeper.rollback()
    assert (healed.epoch, healed.champion) == (5, "m1")  # above what was forged, by what was signed
    assert watcher.wait_for(healed.epoch, PATIENCE_S)
    assert acting(watcher) == (5, "m1")
    replayed(embedded_broker.bootstrap, pipeline, second)
    assert acting(watching(pipeline)) == (5, "m1")
    models = Models(embedded_broker.bootstrap, pipeline)
    assert models.get("m1") is not None
    assert models.get("evil") is None
    models.close()


def replayed(bootstrap: str, pipeline: Pipeline, release: Release) -> None:
    """Write a release that the keeper had signed once more."""
    producer = plain_producer(bootstrap, client_id="intruder")
    producer.produce(
        pipeline.topics.models,
        key=release_key(pipeline.name),
        value=msgspec.json.encode(release),
        partition=0,
    )
    producer.flush(30)


def test_a_scorer_that_starts_under_nothing_signed_has_no_champion_and_says_so(
    declared: Pipeline,
    embedded_broker: Broker,
    tmp_path: Path,
    watching: Callable[[Pipeline], ModelWatcher],
    alerts: Alerts,
) -> None:
    ours = signer(declared, tmp_path / "ours")
    unsigned = Publisher(embedded_broker.bootstrap, declared, lambda: NOW)
    release = unsigned.publish(*small_model(declared, "m1"), "before keys were asked for")
    watcher = watching(trusting(declared, ours))
    assert acting(watcher) == (0, None)
    assert watcher.wait_for(release.epoch, 0.0)  # it was heard of: nobody waits for it
    assert alerts.kinds == ["model_rejected"]
    signing = Publisher(embedded_broker.bootstrap, trusting(declared, ours), lambda: NOW, signer=ours)
    taken = signing.publish(*small_model(declared, "m2"), "signed")
    assert taken.epoch == 2
    assert watcher.wait_for(taken.epoch, PATIENCE_S)
    assert acting(watcher) == (2, "m2")


def test_a_model_in_a_store_is_fetched_and_while_that_is_away_the_old_one_acts(
    declared: Pipeline,
    embedded_broker: Broker,
    tmp_path: Path,
    watching: Callable[[Pipeline], ModelWatcher],
    alerts: Alerts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry, "_FIRST_S", 0.05)
    monkeypatch.setattr(retry, "_LONGEST_S", 0.05)
    pipeline = storing(declared, tmp_path / "store")
    keeper = Publisher(embedded_broker.bootstrap, pipeline, lambda: NOW)
    manifest, artifact = small_model(declared, "m1")
    first = keeper.publish(manifest, artifact, "in the store")
    found = read_models(embedded_broker.bootstrap, pipeline)
    assert found.manifests["m1"].artifact.store == f"models/{manifest.artifact.sha256}"
    assert found.artifact("m1") == artifact
    watcher = watching(pipeline)
    assert acting(watcher) == (first.epoch, "m1")

    manifest, artifact = small_model(declared, "m2", seed=2)
    keeper.publish(manifest, artifact, "soon away")
    assert watcher.wait_for(2, PATIENCE_S)
    place = tmp_path / "store" / pipeline.name / "models" / manifest.artifact.sha256
    aside = place.rename(tmp_path / "aside")
    late = watching(pipeline)
    assert acting(late) == (first.epoch, "m1")  # as those do that run since
    assert alerts.kinds == ["model_rejected"]
    assert "m2 waits for its artifact" in alerts.raised[0][1]
    until_failed_again(late)
    assert alerts.kinds == ["model_rejected"]  # told once
    place.write_bytes(b"x" * manifest.artifact.length)
    with late._heard:
        assert late._heard.wait_for(lambda: len(alerts.kinds) == 2, PATIENCE_S)
    assert "is not what its manifest says" in alerts.raised[1][1]
    assert acting(late) == (first.epoch, "m1")  # as those do that run since

    aside.replace(place)
    later = watching(pipeline)
    assert acting(later) == (2, "m2")


def until_failed_again(watcher: ModelWatcher) -> None:
    pause = watcher._away._at
    with watcher._heard:
        assert watcher._heard.wait_for(lambda: watcher._away._at != pause, PATIENCE_S)
