"""A release that cannot act leaves the present one acting, whatever goes wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException

from feature_store.errors import ContractError
from streams.messages import Release
from streams.messages.model import artifact_key, earlier_key, manifest_key, release_key
from streams.models import watcher as watcher_module
from streams.models.champion import load_champion
from streams.models.watcher import ModelWatcher
from tests.support.models import manifest_of, small_model
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from streams.alerts import AlertSender
    from streams.messages import Manifest
    from streams.models.champion import Champion


class Alerts:
    """Keeps what is raised."""

    def __init__(self) -> None:
        self.raised: list[str] = []
        self.texts: list[str] = []

    def send(self, kind: str, text: str, details: object = None) -> None:
        del details
        self.raised.append(kind)
        self.texts.append(text)


class Arrived:
    """A record of the models topic, or the client's error."""

    def __init__(self, key: bytes, value: bytes, error: KafkaError | None = None) -> None:
        self._key = key
        self._value = value
        self._error = error

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value

    def topic(self) -> str:
        return "models"

    def offset(self) -> int:
        return 0

    def error(self) -> KafkaError | None:
        return self._error


def test_a_model_that_its_library_cannot_run_is_rejected_and_the_scorer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pipeline = private_pipeline(tmp_path, "unit")
    alerts = Alerts()
    watcher = ModelWatcher("nowhere", pipeline, cast("AlertSender", alerts))

    def feed(key: bytes, value: bytes) -> None:
        watcher._hear(cast("Any", Arrived(key, value)))

    def publish(version: str, epoch: int) -> None:
        manifest, artifact = small_model(pipeline, version)
        feed(artifact_key(version, 0), artifact)
        feed(manifest_key(pipeline.name, version), msgspec.json.encode(manifest))
        feed(release_key(pipeline.name), msgspec.json.encode(Release(epoch, version, "", "")))
        watcher._settle()

    def broken(*_: object) -> None:
        raise RuntimeError("the library says no")

    publish("m1", 1)
    monkeypatch.setattr("streams.models.watcher.load_champion", broken)
    publish("m2", 2)
    assert watcher.acting.epoch == 1
    assert alerts.raised == ["model_rejected"]
    assert watcher.wait_for(2, patience_s=0)  # heard of, though it does not act
    assert not watcher.wait_for(3, patience_s=0)
    monkeypatch.undo()
    publish("m3", 3)
    assert watcher.acting.epoch == 3
    assert watcher.wait_for(3, patience_s=0)


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("refused", [{"m3"}, {"m2", "m3"}, {"m1", "m2", "m3"}])
def test_a_fresh_scorer_acts_under_the_release_that_the_others_went_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: set[str], *, compacted: bool
) -> None:
    _, pipeline = private_pipeline(tmp_path, "unit")
    alerts = Alerts()
    watcher = ModelWatcher("nowhere", pipeline, cast("AlertSender", alerts))
    load = load_champion

    def sound(manifest: Manifest, *given: Any, **named: Any) -> Champion:
        if manifest.version in refused:
            raise ContractError("its trees lead in a circle")
        return load(manifest, *given, **named)

    monkeypatch.setattr(watcher_module, "load_champion", sound)
    for epoch, version in enumerate(("m1", "m2", "m3"), 1):
        manifest, artifact = small_model(pipeline, version)
        release = Release(epoch, version, "", "")
        replaced = compacted and epoch < 3
        for key, value in (
            (artifact_key(version, 0), artifact),
            (manifest_key(pipeline.name, version), msgspec.json.encode(manifest)),
            (
                earlier_key(pipeline.name, epoch) if replaced else release_key(pipeline.name),
                msgspec.json.encode(release),
            ),
        ):
            watcher._hear(cast("Any", Arrived(key, value)))
    watcher._settle()
    assert watcher.acting.epoch == 3 - len(refused)
    assert alerts.raised == ["model_rejected"] * len(refused)
    assert watcher.wait_for(3, patience_s=0)


def test_an_artifact_that_kills_its_library_kills_no_scorer(tmp_path: Path) -> None:
    _, pipeline = private_pipeline(tmp_path, "unit")
    alerts = Alerts()
    watcher = ModelWatcher("nowhere", pipeline, cast("AlertSender", alerts))
    whole = small_model(pipeline, "m1")[1]
    artifact = whole[: len(whole) // 2]
    manifest = manifest_of(pipeline, "m1", artifact)  # length and digest are right: it was published so
    for key, value in (
        (artifact_key("m1", 0), artifact),
        (manifest_key(pipeline.name, "m1"), msgspec.json.encode(manifest)),
        (release_key(pipeline.name), msgspec.json.encode(Release(1, "m1", "", ""))),
    ):
        watcher._hear(cast("Any", Arrived(key, value)))
    watcher._settle()
    assert watcher.acting.epoch == 0
    assert alerts.raised == ["model_rejected"]
    assert "dies of it" in alerts.texts[0]


def test_a_watcher_that_hears_nothing_any_more_says_so(tmp_path: Path) -> None:
    _, pipeline = private_pipeline(tmp_path, "unit")
    watcher = ModelWatcher("nowhere", pipeline, cast("AlertSender", Alerts()))
    gone = KafkaError(KafkaError._AUTO_OFFSET_RESET)
    with pytest.raises(KafkaException):
        watcher._hear(cast("Any", Arrived(b"", b"", gone)))
    away = KafkaError(KafkaError._ALL_BROKERS_DOWN)
    assert not watcher._hear(cast("Any", Arrived(b"", b"", away)))


@pytest.mark.parametrize("value", [b'{"version": "\xff"}', b'{"x": ' + b"[" * 100_000, b"not json"])
@pytest.mark.parametrize(
    "key", [manifest_key("unit", "m1"), manifest_key("unit", "") + b"\xff", release_key("unit")]
)
def test_a_record_that_cannot_be_read_does_not_end_the_watcher(
    tmp_path: Path, key: bytes, value: bytes
) -> None:
    alerts = Alerts()
    _, pipeline = private_pipeline(tmp_path, "unit")
    watcher = ModelWatcher("nowhere:1", pipeline, cast("AlertSender", alerts))
    assert not watcher._hear(cast("Any", Arrived(key, value)))
    assert alerts.raised == ["model_rejected"]
