"""What scorers and label sources would have written, for tests of the keeper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from feature_store.log import LogMeta, decode_log, encode_log, log_schema
from feature_store.units import to_text
from streams.kafka import plain_producer, transactional_producer
from streams.messages import Decision, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Headers, Producer

START = 1_767_225_600_000_000  # 2026-01-01
MINUTE = 60_000_000


def event_id(partition: int, offset: int) -> str:
    """The id of the event at a source position."""
    return f"e{partition}-{offset}"


def log_message(
    pipeline: Pipeline,
    partition: int,
    first: int,
    count: int,
    deltas: pa.RecordBatch | None = None,
    policy_offset: int = -1,
    **columns: object,
) -> bytes:
    """A feature-log message of ``count`` events, a minute of arrival apart."""
    offsets = range(first, first + count)
    times = [START + offset * MINUTE for offset in offsets]
    values: dict[str, list[object]] = {
        "event_id": [event_id(partition, offset) for offset in offsets],
        "event_time": list(times),
        "card": [f"c{offset % 7}" for offset in offsets],
        "holder": ["somebody"] * count,
        "stage": [0] * count,
        "seq": list(offsets),
        "source_partition": [partition] * count,
        "source_offset": list(offsets),
        "record_time": [time // 1_000 for time in times],
        "arrived_at": list(times),
        "body_digest": [b"0" * 16] * count,
        "amount_eur": [1.0 + offset % 10 for offset in offsets],
        "policy_action": ["approve"] * count,
        "action": ["approve"] * count,
        "propensity": [1.0] * count,
        "rules": [["a_rule"]] * count,
        "decided_at": list(times),
        "decided_seq": [first + count - 1] * count,
        "late": [False] * count,
    }
    values |= {name: [value] * count for name, value in columns.items()}
    schema = log_schema(pipeline)
    arrays = [pa.array(values.get(field.name, [None] * count), field.type) for field in schema]
    meta = LogMeta(
        pipeline=pipeline.name,
        topic=pipeline.topics.events,
        partition=partition,
        first_offset=first,
        next_offset=first + count,
        release_epoch=0,
        policy_offset=policy_offset,
        duplicates=[],
        dead_letters=[],
        hashes={feature.name: feature.hash for feature in pipeline.feature_vector},
    )
    return encode_log(pa.RecordBatch.from_arrays(arrays, schema=schema), meta, deltas)


def decision(pipeline: Pipeline, partition: int, offset: int) -> bytes:
    """The decision about the event at a source position, as it is sent."""
    return msgspec.json.encode(decided(pipeline, partition, offset))


def decided(pipeline: Pipeline, partition: int, offset: int) -> Decision:
    """The decision about the event at a source position."""
    when = to_text(START + offset * MINUTE)
    return Decision(
        event_id=event_id(partition, offset),
        event_time=when,
        decided_at=when,
        event={},
        action="approve",
        policy_action="approve",
        propensity=1.0,
        score=None,
        model=None,
        reasons=[],
        rules=[],
        fallback="cold_start",
        shadow={},
        release=0,
        source=Source(pipeline.topics.events, partition, offset),
    )


def write_batches(pipeline: Pipeline, bootstrap: str, first: int, batches: int, size: int = 50) -> int:
    """Commit micro-batches on each partition as a scorer does; returns the next source offset."""
    scorer = transactional_producer(bootstrap, f"{pipeline.name}.scorer")
    scorer.init_transactions(30)
    for batch in range(batches):
        _write_on_each(scorer, pipeline, first + batch * size, size)
        scorer.commit_transaction(30)
    return first + batches * size


def give_up_batch(pipeline: Pipeline, bootstrap: str, first: int, size: int) -> None:
    """Write a micro-batch on each partition and abort it."""
    scorer = transactional_producer(bootstrap, f"{pipeline.name}.scorer")
    scorer.init_transactions(30)
    _write_on_each(scorer, pipeline, first, size)
    assert scorer.flush(30) == 0
    scorer.abort_transaction(30)


def _write_on_each(scorer: Producer, pipeline: Pipeline, first: int, size: int) -> None:
    scorer.begin_transaction()
    for partition in range(pipeline.topics.partitions):
        _write_batch(scorer, pipeline, partition, first, size)


def _write_batch(scorer: Producer, pipeline: Pipeline, partition: int, first: int, size: int) -> None:
    message = log_message(pipeline, partition, first, size)
    scorer.produce(pipeline.topics.features, value=message, partition=partition)
    for offset in range(first, first + size):
        scorer.produce(
            pipeline.topics.decisions, value=decision(pipeline, partition, offset), partition=partition
        )


def write_outcomes(pipeline: Pipeline, bootstrap: str, values: list[bytes], arrived: int) -> None:
    """Write raw outcome messages that arrive at ``arrived`` (us), to one partition: read in this order."""
    source = plain_producer(bootstrap)
    headers: Headers = [("arrived_at", str(arrived // 1_000).encode())]
    for value in values:
        source.produce(pipeline.topics.outcomes, value=value, headers=headers, partition=0)
    source.flush(30)


def until(condition: Callable[[], bool], step: Callable[[], object], most: int = 20_000) -> None:
    """Step until ``condition``; fails after ``most`` steps."""
    for _ in range(most):
        if condition():
            return
        step()
    raise AssertionError(f"not reached after {most} steps")


class TwoClaims:
    """Two scorers write one partition's log: the first was given up, and lives."""

    def __init__(self, pipeline: Pipeline, bootstrap: str) -> None:
        self._pipeline, self._kafka = pipeline, plain_producer(bootstrap)

    def taken_over(self) -> None:
        """The first decides 15 events, the second from the tenth on; 20 are decided."""
        self._log(0, 0, 1, -1)  # at offset 0: a claim
        self._log(0, 10, 1, 0)
        self._decide(0, 15)
        self._log(10, 0, 2, -1)  # at offset 2: the next one
        self._log(10, 5, 1, 0)
        self._decide(10, 20)
        assert self._kafka.flush(30) == 0

    def repeated(self) -> None:
        """Both write once more."""
        self._log(10, 5, 1, 0)
        self._log(10, 10, 2, 2)
        self._decide(12, 20)
        assert self._kafka.flush(30) == 0

    def _log(self, first: int, count: int, claim: int, claimed_at: int) -> None:
        batch, meta = decode_log(log_message(self._pipeline, 0, first, count))
        message = encode_log(batch, msgspec.structs.replace(meta, claim=claim, claimed_at=claimed_at))
        self._kafka.produce(self._pipeline.topics.features, value=message, partition=0)

    def _decide(self, first: int, end: int) -> None:
        for offset in range(first, end):
            value = decision(self._pipeline, 0, offset)
            self._kafka.produce(self._pipeline.topics.decisions, value=value, partition=0)
