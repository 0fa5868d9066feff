"""A partition that is mostly garbage waits where that is declared; the others go on, and it does later."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.support.kafka import Seen, feed_of, read_all, read_until
from tests.support.payments import encoded, private_pipeline
from tests.support.processes import scorer

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

BROKERS = [pytest.param("apache_kafka", marks=pytest.mark.kafka), "embedded_broker"]
BAD = 20

pytestmark = pytest.mark.acceptance


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Broker:
    found: Broker = request.getfixturevalue(request.param)
    return found


def test_what_stands_behind_garbage_waits_and_is_decided_after_a_restart(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    spec = {"share": 0.5, "least": 10, "pause": "1h"}
    config, pipeline = private_pipeline(
        tmp_path, unique, serving={"batch": {"max_events": 10}, "dead_letter_alert": spec}
    )
    topics, feed = pipeline.topics, feed_of(pipeline, broker.bootstrap)
    key, late = encoded(0)
    feed.send([*[(key, b"garbage")] * BAD, (key, late)])
    (bad,) = feed.sent
    good = [encoded(n) for n in range(1, 60)]
    feed.send(good)
    elsewhere = sum(count for partition, count in feed.sent.items() if partition != bad)
    with scorer(config, broker.bootstrap) as process:
        alerts = read_until(broker.bootstrap, [topics.alerts], _paused)
        told = [msgspec.json.decode(each.value) for each in alerts]
        assert {each["details"]["partition"] for each in told if each["kind"] == "partition_paused"} == {bad}
        decided = read_until(broker.bootstrap, [topics.decisions], lambda seen: len(seen) >= elsewhere)
        assert {record.partition for record in decided} == set(feed.sent) - {bad}
        assert len(read_all(broker.bootstrap, topics.dead_letters)) < BAD
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    _restart_until_all_is_decided(config, broker, pipeline, len(good) + 1)


def _restart_until_all_is_decided(config: Path, broker: Broker, pipeline: Pipeline, events: int) -> None:
    """Each start takes ten more of the garbage, at least."""
    topics = pipeline.topics
    for _ in range(BAD // 10):
        before = len(read_all(broker.bootstrap, topics.alerts))
        with scorer(config, broker.bootstrap):

            def enough(seen: Seen, alerts: int = before) -> bool:
                told = [record for record in seen if record.topic == topics.alerts]
                decided = len(seen) - len(told)
                return decided >= events or _paused(told[alerts:])

            seen = read_until(broker.bootstrap, [topics.alerts, topics.decisions], enough)
        if sum(record.topic == topics.decisions for record in seen) >= events:
            return
    pytest.fail("it was never gone on with")


def _paused(alerts: Seen) -> bool:
    return any(msgspec.json.decode(each.value)["kind"] == "partition_paused" for each in alerts)
