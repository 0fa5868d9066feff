"""A step whose transaction is aborted is done again: nothing lost, nothing doubled, state as before it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from feature_store.clock import WallClock
from feature_store.objects import in_memory
from feature_store.snapshots import Shelf
from streams.alerts import AlertSender
from streams.kafka import Aborted, Consumer, Producer, group_consumer, plain_producer, transactional_producer
from streams.metrics import ScorerMetrics
from streams.models.watcher import ModelWatcher
from streams.policies.watcher import PolicyWatcher
from streams.scorer import outcomes
from streams.scorer.loop import ScorerLoop
from streams.scorer.messages import LogOffsets
from streams.scorer.transaction import Transactions
from tests.support.features import assert_features_as_if_nothing_had_happened, logged_deltas
from tests.support.kafka import decided, feed_of, read_all, read_until
from tests.support.outcomes import counting_frauds, delta
from tests.support.payments import encoded

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker
    from streams.scorer.records import StepResult

TOTAL = 2_000
KNOWN = [(n + 1, n, 1) for n in range(0, TOTAL, 7)] + [(TOTAL + n + 1, n, -1) for n in range(0, TOTAL, 21)]
"""route_seq, number of the event, fraud or not any more."""


class EveryThirdAborts(Transactions):
    """Sends everything of a step and then, every third time, aborts it."""

    def __init__(self, producer: Producer, consumer: Consumer, pipeline: Pipeline) -> None:
        super().__init__(producer, consumer, pipeline)
        self.aborts = 0
        self._steps = 0

    def commit(self, result: StepResult) -> dict[int, int]:
        self._steps += 1
        if self._steps % 3:
            return super().commit(result)
        self._producer.begin_transaction()
        self._send(result, LogOffsets())
        self._producer.flush(30)
        self._producer.abort_transaction(30)
        self.aborts += 1
        raise Aborted("as planned")


def _send_outcomes(broker: Broker, pipeline: Pipeline) -> None:
    """Every delta of ``KNOWN`` to the partition of its event, twice, as after a keeper's restart."""
    partitions = {r.key: r.partition for r in read_all(broker.bootstrap, pipeline.topics.events)}
    producer = plain_producer(broker.bootstrap)
    for route_seq, number, fraud in KNOWN * 2:
        producer.produce(
            pipeline.topics.entity_outcomes,
            value=delta(route_seq, number, fraud=fraud),
            partition=partitions[encoded(number)[0]],
        )
    assert producer.flush(30) == 0


def _run_with_aborts(
    broker: Broker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Pipeline, int]:
    monkeypatch.setattr(outcomes, "_AT_ONCE", 7)  # so that they come among the events
    serving = {"batch": {"max_events": 40}}
    _, pipeline = counting_frauds(tmp_path, unique, serving=serving)
    feed = feed_of(pipeline, broker.bootstrap)
    feed.send(encoded(n) for n in range(TOTAL))
    _send_outcomes(broker, pipeline)
    clock = WallClock()
    identity = f"sluicegate.{pipeline.name}.scorer"
    consumer = group_consumer(broker.bootstrap, identity, session_timeout_ms=6_000, end_events=True)
    producer = transactional_producer(broker.bootstrap, f"{identity}.0")
    transactions = EveryThirdAborts(producer, consumer, pipeline)
    alerts = AlertSender(broker.bootstrap, pipeline, clock, "test")
    loop = ScorerLoop(
        pipeline,
        broker.bootstrap,
        consumer,
        transactions,
        ModelWatcher(broker.bootstrap, pipeline, alerts),
        PolicyWatcher(broker.bootstrap, pipeline, alerts),
        clock,
        alerts,
        Shelf(in_memory(), pipeline.name, 1),
        ScorerMetrics(pipeline.name, 0),
    )
    stop = threading.Event()
    worker = threading.Thread(target=loop.run, args=(stop,))
    worker.start()
    try:
        read_until(broker.bootstrap, [pipeline.topics.decisions], lambda seen: len(seen) >= TOTAL)
        read_until(
            broker.bootstrap, [pipeline.topics.features], lambda seen: len(logged_deltas(seen)) >= len(KNOWN)
        )
    finally:
        stop.set()
        worker.join(60)
    return pipeline, transactions.aborts


def _assert_all_decided_once(broker: Broker, pipeline: Pipeline) -> None:
    assert decided(broker, pipeline, TOTAL) == Counter(f"e{n}" for n in range(TOTAL))
    learned = logged_deltas(read_all(broker.bootstrap, pipeline.topics.features))
    assert sorted(row["route_seq"] for row in learned) == sorted(route_seq for route_seq, _, _ in KNOWN)
    assert_features_as_if_nothing_had_happened(broker, pipeline)


@pytest.mark.kafka
def test_aborted_steps_are_done_again_on_apache_kafka(
    apache_kafka: Broker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, aborts = _run_with_aborts(apache_kafka, unique, tmp_path, monkeypatch)
    assert aborts > 10
    _assert_all_decided_once(apache_kafka, pipeline)


def test_aborted_steps_are_done_again_on_the_embedded_broker(
    embedded_broker: Broker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, aborts = _run_with_aborts(embedded_broker, unique, tmp_path, monkeypatch)
    assert aborts > 10
    _assert_all_decided_once(embedded_broker, pipeline)
