"""Simulation and replay onto a real Kafka, read back by a client that is not ours."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiokafka import AIOKafkaConsumer

from feature_store.declaration.load import load_pipeline
from feature_store.errors import BrokerError
from feature_store.units import from_text, to_micros
from streams.kafka import TopicSpec, ensure_topics
from streams.sources import Emission, Pace, Published, Scenario, publish, run_replay, run_simulate, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka import ConsumerRecord

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]

CONFIG = Path(__file__).resolve().parents[2] / "config"
SCENARIO = Scenario(days=2, events_per_day=2_000, customers=300, terminals=200, seed=3, duplicate_share=0.01)


def pipeline_of_its_own(name: str, prefix: str) -> Pipeline:
    pipeline = load_pipeline(CONFIG / name, {"SLUICEGATE_CONTROL_KEY": "for tests"})
    roles = [role for role, value in pipeline.topics if isinstance(value, str)]
    names = {role: f"{prefix}-{role}" for role in roles}
    return pipeline.model_copy(update={"topics": pipeline.topics.model_copy(update=names)})


def read_all(bootstrap: str, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
    """Everything on the topic, partition by partition."""

    async def read() -> list[ConsumerRecord[bytes, bytes]]:
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            partitions = list(consumer.assignment())
            records: list[ConsumerRecord[bytes, bytes]] = []
            ends = await consumer.end_offsets(partitions)
            while sum(ends.values()) > len(records):
                for batch in (await consumer.getmany(timeout_ms=1_000)).values():
                    records += batch
            return sorted(records, key=lambda record: (record.partition, record.offset))
        finally:
            await consumer.stop()

    return asyncio.run(asyncio.wait_for(read(), 60))


def arrival_ms(record: ConsumerRecord[bytes, bytes]) -> int:
    (value,) = [value for name, value in record.headers if name == "arrived_at"]
    return int(value)


def test_a_simulation_stands_on_kafka_whole_in_order_and_with_arrivals(
    apache_kafka: Broker, unique: str
) -> None:
    pipeline = pipeline_of_its_own("payments.yaml", unique)
    reports: list[Published] = []
    published = run_simulate(pipeline, apache_kafka.bootstrap, SCENARIO, on_progress=reports.append)
    expected = list(simulate(SCENARIO))
    events = read_all(apache_kafka.bootstrap, pipeline.topics.events)
    outcomes = read_all(apache_kafka.bootstrap, pipeline.topics.outcomes)
    for role, records in (("events", events), ("outcomes", outcomes)):
        sent = sorted((e.arrival_us // 1_000, e.key, e.value) for e in expected if e.role == role)
        assert sorted((arrival_ms(r), r.key, r.value) for r in records) == sent
    for before, after in pairwise(events):
        assert before.partition != after.partition or arrival_ms(before) <= arrival_ms(after)
    assert (published.events, published.outcomes) == (len(events), len(outcomes))
    assert published.bytes == sum(len(r.key) + len(r.value) for r in [*events, *outcomes])
    assert published.last_arrival_us == expected[-1].arrival_us
    assert published.end_offsets == {r.partition: r.offset + 1 for r in events}
    assert reports[-1] == published
    assert len({r.partition for r in events}) == pipeline.topics.partitions


def test_a_replay_stands_on_kafka_with_its_outcomes(
    apache_kafka: Broker, unique: str, tmp_path: Path
) -> None:
    pipeline = pipeline_of_its_own("handbook.yaml", unique)
    start = datetime(2018, 4, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=m) for m in range(600)]
    frauds = [i % 50 == 0 for i in range(600)]
    table = pa.table(
        {
            "TRANSACTION_ID": pa.array(range(600), pa.int32()),
            "TX_DATETIME": [moment.replace(tzinfo=None) for moment in times],
            "CUSTOMER_ID": pa.array([i % 40 for i in range(600)], pa.int32()),
            "TERMINAL_ID": pa.array([i % 7 for i in range(600)], pa.int32()),
            "TX_AMOUNT": [i / 100 for i in range(600)],
            "TX_FRAUD": frauds,
        }
    )
    pq.write_table(table, tmp_path / "past.parquet")
    published = run_replay(
        pipeline, apache_kafka.bootstrap, tmp_path / "past.parquet", since=times[100], until=times[500]
    )
    assert (published.events, published.outcomes) == (400, sum(frauds[100:500]))
    events = read_all(apache_kafka.bootstrap, pipeline.topics.events)
    assert {int(json.loads(r.value)["transaction_id"]) for r in events} == set(range(100, 500))
    assert all(from_text(json.loads(r.value)["tx_datetime"]) == arrival_ms(r) * 1_000 for r in events)
    outcomes = read_all(apache_kafka.bootstrap, pipeline.topics.outcomes)
    late = timedelta(days=7)
    assert {(int(r.key), arrival_ms(r) * 1_000) for r in outcomes} == {
        (i, to_micros(times[i] + late)) for i in range(100, 500) if frauds[i]
    }


def test_a_limit_ends_a_run(apache_kafka: Broker, unique: str) -> None:
    pipeline = pipeline_of_its_own("payments.yaml", unique)
    published = run_simulate(pipeline, apache_kafka.bootstrap, SCENARIO, limit=250)
    assert published.events == 250
    assert len(read_all(apache_kafka.bootstrap, pipeline.topics.events)) == 250


def test_a_stopped_run_has_sent_all_that_it_counts(apache_kafka: Broker, unique: str) -> None:
    pipeline = pipeline_of_its_own("payments.yaml", unique)
    stop = threading.Event()
    endless = replace(SCENARIO, days=100_000)

    def after_some(published: Published) -> None:
        if published.events > 100:
            stop.set()

    published = run_simulate(
        pipeline, apache_kafka.bootstrap, endless, rate=5_000, stop=stop, on_progress=after_some
    )
    assert published.events > 100
    assert len(read_all(apache_kafka.bootstrap, pipeline.topics.events)) == published.events


@pytest.mark.parametrize(
    ("pace", "least_s"), [(Pace(rate=200), 0.495), (Pace(speed=100.0), 0.99)], ids=["rate", "speed"]
)
def test_a_paced_run_is_never_early(apache_kafka: Broker, unique: str, pace: Pace, least_s: float) -> None:
    """A hundred events, one per second of stream time."""
    ensure_topics(apache_kafka.bootstrap, [TopicSpec(unique, 1)])
    stream = (Emission(i * 1_000_000, "events", b"key", b"%d" % i) for i in range(100))
    publish(stream, apache_kafka.bootstrap, {"events": unique, "outcomes": unique}, pace=pace)
    stamps = [r.timestamp for r in read_all(apache_kafka.bootstrap, unique)]
    assert len(stamps) == 100
    assert (stamps[-1] - stamps[0]) / 1_000 >= least_s - 0.01


def test_a_record_that_kafka_refuses_ends_the_run_with_an_error(apache_kafka: Broker, unique: str) -> None:
    ensure_topics(apache_kafka.bootstrap, [TopicSpec(unique, 1, settings={"max.message.bytes": "200"})])

    def endless() -> Iterator[Emission]:
        while True:
            yield Emission(0, "events", b"key", bytes(10_000))

    with pytest.raises(BrokerError, match="refused a record"):
        publish(endless(), apache_kafka.bootstrap, {"events": unique, "outcomes": unique})
