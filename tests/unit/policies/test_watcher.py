"""Whatever goes wrong with a document, the policy that acts stays; a follower that is deaf says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.messages.policy import policy_key
from streams.policies.watcher import PolicyWatcher
from tests.support.payments import private_pipeline
from tests.support.policies import Alerts, document_of

if TYPE_CHECKING:
    from pathlib import Path

    from streams.alerts import AlertSender


class Arrived:
    """A record of the policy topic, or the client's error."""

    def __init__(
        self, key: bytes, value: bytes | None, offset: int = 0, error: KafkaError | None = None
    ) -> None:
        self.key = lambda: key
        self.value = lambda: value
        self.offset = lambda: offset
        self.error = lambda: error
        self.topic = lambda: "policy"
        self.partition = lambda: 0


@pytest.fixture
def alerts() -> Alerts:
    return Alerts()


@pytest.fixture
def watcher(tmp_path: Path, alerts: Alerts) -> PolicyWatcher:
    _, pipeline = private_pipeline(tmp_path, "unit")
    return PolicyWatcher("nowhere", pipeline, cast("AlertSender", alerts))


def hear(watcher: PolicyWatcher, offset: int, value: bytes | None) -> bool:
    heard = watcher._hear(cast("Any", Arrived(policy_key("unit"), value, offset)))
    watcher._settle()
    return heard


def test_what_no_one_foresaw_about_a_document_does_not_end_the_follower(
    watcher: PolicyWatcher, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the library says no")

    with monkeypatch.context() as patched:
        patched.setattr("streams.policies.watcher.compile_policy", broken)
        hear(watcher, 3, msgspec.json.encode(document_of(watcher._pipeline, 1)))
    assert alerts.raised == [
        ("policy_rejected", "the policy at offset 3 cannot act: RuntimeError('the library says no')")
    ]
    assert watcher.active.offset == -1
    assert watcher.wait_for(3, patience_s=0)  # heard of, though it does not act
    hear(watcher, 4, msgspec.json.encode(document_of(watcher._pipeline, 2)))
    assert watcher.active.offset == 4


def test_a_tombstone_changes_nothing(watcher: PolicyWatcher, alerts: Alerts) -> None:
    hear(watcher, 0, msgspec.json.encode(document_of(watcher._pipeline, 1)))
    assert not hear(watcher, 1, None)
    assert (watcher.active.offset, alerts.raised) == (0, [])


def test_a_document_with_a_part_that_this_version_does_not_know_is_refused(
    watcher: PolicyWatcher, alerts: Alerts
) -> None:
    newer = msgspec.to_builtins(document_of(watcher._pipeline, 1)) | {"canary": 0.5}
    hear(watcher, 0, msgspec.json.encode(newer))
    assert watcher.active.offset == -1
    assert "canary" in alerts.raised[0][1]


def test_a_follower_that_hears_nothing_any_more_says_so(watcher: PolicyWatcher) -> None:
    gone = KafkaError(KafkaError._AUTO_OFFSET_RESET)
    with pytest.raises(KafkaException):
        watcher._hear(cast("Any", Arrived(b"", b"", error=gone)))
    away = KafkaError(KafkaError._ALL_BROKERS_DOWN)
    assert not watcher._hear(cast("Any", Arrived(b"", b"", error=away)))
