"""Shadows join a release when they are loaded, and never stand in its way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
import pytest

from feature_store.errors import ContractError
from streams.messages import Release
from streams.messages.model import artifact_key, manifest_key, release_key
from streams.models import watcher as watching
from streams.models.champion import load_champion
from streams.models.shadows import ShadowLoader, ShadowRequest
from streams.models.watcher import ModelWatcher
from tests.support.models import small_model
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streams.alerts import AlertSender
    from streams.messages import Manifest
    from streams.models.champion import Champion
    from streams.models.watcher import Acting

PATIENCE_S = 60.0


class Topic:
    """A watcher without Kafka: what is published, it hears; what it loads, is known."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pipeline = private_pipeline(folder, "unit")[1]
        self.loads: list[str] = []
        self.alerts: list[tuple[str, Any]] = []
        self.held: dict[str, threading.Event] = {}
        self.watcher = ModelWatcher("nowhere", self.pipeline, cast("AlertSender", self))
        monkeypatch.setattr(watching, "load_champion", self._load)

    def _load(self, manifest: Manifest, artifact: bytes, declared: Any, **options: Any) -> Champion:
        assert options["outside"]
        assert options["device"] == "auto"
        with self.watcher._heard:
            self.loads.append(manifest.version)
            self.watcher._heard.notify_all()
        if manifest.version in self.held:
            assert self.held[manifest.version].wait(PATIENCE_S)
        if manifest.version.startswith("bad"):
            raise ContractError("it is bad")
        return load_champion(manifest, artifact, declared)

    def send(self, kind: str, text: str, details: Any = None) -> None:
        del text
        with self.watcher._heard:
            self.alerts.append((kind, details["model"]))
            self.watcher._heard.notify_all()

    def model(self, *versions: str) -> None:
        for version in versions:
            manifest, artifact = small_model(self.pipeline, version)
            self._feed(artifact_key(version, 0), artifact)
            self._feed(manifest_key(self.pipeline.name, version), msgspec.json.encode(manifest))

    def release(self, epoch: int, champion: str | None, *shadows: str) -> Acting:
        record = Release(epoch, champion, "", "", shadows=list(shadows))
        self._feed(release_key(self.pipeline.name), msgspec.json.encode(record))
        self.watcher._settle()
        return self.watcher.acting

    def _feed(self, key: bytes, value: bytes) -> None:
        self.watcher._feed(key, value, 0)

    def shadows(self) -> list[str]:
        return [shadow.version for shadow in self.watcher.acting.shadows]

    def settled(self, what: Callable[[], bool]) -> None:
        """Wait until it is so."""
        with self.watcher._heard:
            so = self.watcher._heard.wait_for(what, PATIENCE_S)
        assert so, (self.shadows(), self.alerts, self.loads)


@pytest.fixture
def topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    made = Topic(tmp_path, monkeypatch)
    yield made
    for event in made.held.values():
        event.set()
    made.watcher.stop()


def test_shadows_join_in_the_order_of_the_release_and_stay_loaded(topic: Topic) -> None:
    topic.model("m1", "m2", "s1", "s2")
    topic.release(1, "m1", "s2", "s1")
    topic.settled(lambda: topic.shadows() == ["s2", "s1"])
    before = topic.watcher.acting.shadows
    acting = topic.release(2, "m2", "s1", "s2")
    assert acting.shadows == (before[1], before[0])
    assert topic.release(3, "m2", "s2").shadows == (before[0],)
    assert topic.loads == ["m1", "s2", "s1", "m2"]
    matrix = np.zeros((3, len(topic.pipeline.feature_vector)))
    assert np.isfinite(topic.watcher.acting.shadows[0].margins(matrix)).all()


def test_a_shadow_that_cannot_be_loaded_is_left_out_with_an_alert(topic: Topic) -> None:
    topic.model("m1", "bad", "s1")
    topic.release(1, "m1", "bad", "nowhere", "s1")
    topic.settled(lambda: topic.shadows() == ["s1"])
    assert topic.watcher.acting.epoch == 1
    assert sorted(topic.alerts) == [("shadow_rejected", "bad"), ("shadow_rejected", "nowhere")]


def test_a_release_does_not_wait_for_shadows(topic: Topic) -> None:
    topic.held["slow"] = threading.Event()
    topic.model("m1", "m2", "slow", "s1")
    topic.release(1, "m1", "slow")
    topic.settled(lambda: "slow" in topic.loads)
    acting = topic.release(2, "m2", "s1")
    assert acting.champion is not None
    assert (acting.epoch, acting.champion.version, acting.shadows) == (2, "m2", ())
    topic.held["slow"].set()
    topic.settled(lambda: topic.shadows() == ["s1"])  # the slow one is not wanted any more


def test_a_shadow_under_way_is_loaded_once_though_two_releases_name_it(topic: Topic) -> None:
    topic.held["slow"] = threading.Event()
    topic.model("m1", "m2", "slow")
    topic.release(1, "m1", "slow")
    topic.settled(lambda: "slow" in topic.loads)
    topic.release(2, "m2", "slow")
    topic.held["slow"].set()
    topic.settled(lambda: topic.shadows() == ["slow"])
    assert topic.loads == ["m1", "slow", "m2"]


def test_a_shadow_that_is_promoted_acts_as_it_was_loaded(topic: Topic) -> None:
    topic.model("m1", "s1")
    first = topic.release(1, "m1", "s1").champion
    topic.settled(lambda: topic.shadows() == ["s1"])
    shadow = topic.watcher.acting.shadows[0]
    acting = topic.release(2, "s1", "m1", "s1")
    assert acting.champion is shadow
    assert acting.shadows == (first,)
    assert topic.loads == ["m1", "s1"]


def test_a_rejected_release_keeps_the_shadows_of_the_one_that_acts(topic: Topic) -> None:
    topic.held["slow"] = threading.Event()
    topic.model("m1", "bad", "slow")
    topic.release(1, "m1", "slow")
    topic.release(2, "bad")
    topic.held["slow"].set()
    topic.settled(lambda: topic.shadows() == ["slow"])
    assert topic.watcher.acting.epoch == 1
    assert topic.alerts == [("model_rejected", "bad")]


def test_one_asked_for_again_while_an_older_release_refuses_it_is_loaded_again() -> None:
    told: list[int] = []
    twice = threading.Event()
    model = cast("Champion", object())

    def loaded(request: ShadowRequest, _: Champion) -> None:
        told.append(request.epoch)
        if request.epoch == 1:
            loader.ask([ShadowRequest(2, "v1", lambda: model)])
        else:
            twice.set()

    loader = ShadowLoader(loaded, lambda *_: None)
    loader.ask([ShadowRequest(1, "v1", lambda: model)])
    assert twice.wait(10), "it would be left out until the next release"
    loader.stop()
    assert told == [1, 2]
