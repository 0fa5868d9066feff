"""A late event whose window was cut short: decided at once, and once again by a keeper that is killed."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streams.messages import Amended, Decision
from tests.support.kafka import feed_of, read_all, read_until
from tests.support.models import counting_model
from tests.support.payments import encoded, private_pipeline
from tests.support.processes import keeper, scorer
from training.publish import Publisher

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker
    from streams.kafka import Headers

pytestmark = pytest.mark.acceptance

DECLARED: dict[str, Any] = {
    "features": {
        "lateness": "10m",
        "late": "amend",
        "windows": [{"entity": "customer_id", "windows": ["1h"], "count": True}],
    },
    "decision": {"costs": {"amount": "amount", "review": 4, "false_decline": 15}},
}
BURST = 8
"""Events of the customer, a second apart; the late ones belong behind them."""
TRACE = (
    ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracestate", b"congo=t61rcWkgMzE"),
)
FAR_AHEAD = 5 * 3_600
"""The second of an event behind which nothing of the burst is kept."""


@pytest.mark.kafka
def test_on_apache_kafka(apache_kafka: Broker, unique: str, tmp_path: Path) -> None:
    _late_events_are_amended(apache_kafka, unique, tmp_path)


def test_on_the_embedded_broker(embedded_broker: Broker, unique: str, tmp_path: Path) -> None:
    _late_events_are_amended(embedded_broker, unique, tmp_path)


def _late_events_are_amended(broker: Broker, unique: str, folder: Path) -> None:
    config, pipeline = private_pipeline(folder, unique, **DECLARED)
    bootstrap = broker.bootstrap
    feed = feed_of(pipeline, bootstrap)
    publisher = Publisher(bootstrap, pipeline, lambda: "2026-01-05T00:00:00Z")
    publisher.publish(*counting_model(pipeline, "m1", "customer_id_count_1h"), why="test")

    def send(*numbers: int, headers: Headers | None = None) -> None:
        feed.send((encoded(number, customer_id="c1") for number in numbers), headers)

    def decided(count: int) -> None:
        read_until(bootstrap, [pipeline.topics.decisions], lambda seen: len(seen) >= count)

    with scorer(config, bootstrap):
        send(*range(BURST), FAR_AHEAD)
        decided(BURST + 1)
        send(BURST, headers=[*TRACE, ("own", b"stays behind")])
        decided(BURST + 2)
        with keeper(config, bootstrap) as first:
            decided(BURST + 3)
            first.send_signal(signal.SIGKILL)
        send(BURST + 1)
        with keeper(config, bootstrap) as second:
            decided(BURST + 5)
            second.send_signal(signal.SIGTERM)
            assert second.wait(60) == 0
    firsts, amended = _read(pipeline, bootstrap)
    assert sorted(firsts) == sorted(f"e{number}" for number in [*range(BURST + 2), FAR_AHEAD])
    assert [event for event, (_, decision) in firsts.items() if decision.late] == ["e8", "e9"]
    assert {event: len(found) for event, found in amended.items()} == {"e8": 1, "e9": 1}
    for event, [decision] in amended.items():
        place, replaced = firsts[event]
        assert decision.amends == place
        assert (replaced.action, decision.action) == ("approve", "decline")
        assert decision.score is not None
        assert replaced.score is not None
        assert decision.score > replaced.score
        assert decision.source == replaced.source
        assert (decision.model, decision.release, decision.late) == ("m1", 1, True)
    traced = [
        msgspec.json.decode(record.value, type=Decision)
        for record in read_all(bootstrap, pipeline.topics.decisions)
        if tuple(record.headers)[-2:] == TRACE
    ]
    assert [(each.event_id, bool(each.amends)) for each in traced] == [("e8", False), ("e8", True)]


def _read(
    pipeline: Pipeline, bootstrap: str
) -> tuple[dict[str, tuple[Amended, Decision]], dict[str, list[Decision]]]:
    """By event: the first decision with its place, and those that amend it."""
    firsts: dict[str, tuple[Amended, Decision]] = {}
    amended: dict[str, list[Decision]] = {}
    for record in read_all(bootstrap, pipeline.topics.decisions):
        decision = msgspec.json.decode(record.value, type=Decision)
        if decision.amends:
            amended.setdefault(decision.event_id, []).append(decision)
        else:
            assert decision.event_id not in firsts
            place = Amended(record.topic, record.partition, record.offset, decision.decided_at)
            firsts[decision.event_id] = (place, decision)
    return firsts, amended
