"""Events that others write in transactions of their own, of which some are aborted."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from feature_store.log import decode_log
from streams.kafka import end_offsets, ensure_topics, pipeline_topics, reader, transactional_producer
from tests.support.kafka import decided, read_until, remove_before
from tests.support.payments import encoded, private_pipeline
from tests.support.processes import scorer

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker
    from tests.support.kafka import Seen

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_a_start_does_not_miss_what_counted_nowhere_and_is_no_longer_kept(
    apache_kafka: Broker, unique: str, tmp_path: Path, delivery: str
) -> None:
    """An idle topic's last events are dropped, and behind them an aborted transaction and its mark."""
    config, pipeline = private_pipeline(tmp_path, unique, serving={"delivery": delivery})
    ensure_topics(apache_kafka.bootstrap, pipeline_topics(pipeline))
    with scorer(config, apache_kafka.bootstrap) as first:
        _transaction(apache_kafka, pipeline, range(100))
        decided(apache_kafka, pipeline, 100)
        _transaction(apache_kafka, pipeline, range(100, 200), abort=True)
        ends = _until_read_to_the_ends(apache_kafka, pipeline)
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 0
    for partition, end in ends.items():
        remove_before(apache_kafka.bootstrap, pipeline.topics.events, partition, end)
    with scorer(config, apache_kafka.bootstrap) as again:
        _transaction(apache_kafka, pipeline, range(200, 300))
        ids = decided(apache_kafka, pipeline, 200)
        again.send_signal(signal.SIGTERM)
        assert again.wait(60) == 0
    assert ids == Counter(f"e{n}" for n in (*range(100), *range(200, 300)))


def _transaction(broker: Broker, pipeline: Pipeline, numbers: range, *, abort: bool = False) -> None:
    producer = transactional_producer(broker.bootstrap, f"{pipeline.name}.source")
    producer.init_transactions(30)
    producer.begin_transaction()
    for key, value in map(encoded, numbers):
        producer.produce(pipeline.topics.events, key=key, value=value)
    assert producer.flush(30) == 0
    producer.abort_transaction(30) if abort else producer.commit_transaction(30)


def _until_read_to_the_ends(broker: Broker, pipeline: Pipeline) -> dict[int, int]:
    """Return the ends of the events when the feature log accounts for everything up to them."""
    asking = reader(broker.bootstrap, uncommitted=True)

    def ends() -> dict[int, int]:
        return end_offsets(asking, pipeline.topics.events)

    def accounted(seen: Seen) -> bool:
        return {m.partition: decode_log(m.value)[1].next_offset for m in seen} == ends()

    try:
        read_until(broker.bootstrap, [pipeline.topics.features], accounted)
        return ends()
    finally:
        asking.close()
