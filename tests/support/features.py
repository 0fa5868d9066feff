"""The features that were logged, held to those of an uninterrupted run."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from feature_store.clock import WallClock
from feature_store.log import decode_log, decode_whole_log
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceDelta, SourceRecord
from tests.support.kafka import read_all, read_until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker
    from tests.support.kafka import Seen


def assert_features_as_if_nothing_had_happened(broker: Broker, pipeline: Pipeline) -> None:
    """Every logged row equals that of a scorer that saw the partition's events in one go.

    Outcomes it sees where the log says that they came; then it also works in the steps of the log, since
    what was let through is known only after its step.
    """
    messages = read_all(broker.bootstrap, pipeline.topics.features)
    ends = {m.partition: decode_log(m.value)[1].next_offset for m in messages}
    total = read_until(
        broker.bootstrap, [pipeline.topics.events], lambda seen: len(seen) >= sum(ends.values())
    )
    for partition in ends:
        mine = [m for m in messages if m.partition == partition]
        records = [
            SourceRecord(partition, e.offset, e.key, e.value, e.timestamp, e.timestamp * 1_000)
            for e in total
            if e.partition == partition
        ]
        core = ScorerCore(pipeline, WallClock())
        core.add_partition(partition, 0)
        steps = _steps(mine, records) if pipeline.outcome_fields else [(records, [])]
        expected: dict[int, list[Any]] = {}
        for step, deltas in steps:
            expected |= _features(pipeline, core.step(step, Acting(0, None), deltas).log[0].message)
            core.commit()
        logged: dict[int, list[Any]] = {}
        for message in mine:
            logged |= _features(pipeline, message.value)
        assert logged == expected


def assert_one_state_as_if_nothing_had_happened(broker: Broker, pipeline: Pipeline) -> None:
    """The same where one state covers all partitions: the order of the log is that of its seqs."""
    messages = [message.value for message in read_all(broker.bootstrap, pipeline.topics.features)]
    rows = sorted((row for m in messages for row in decode_log(m)[0].to_pylist()), key=itemgetter("seq"))
    total = read_until(broker.bootstrap, [pipeline.topics.events], lambda seen: len(seen) >= len(rows))
    events = {(e.partition, e.offset): e for e in total}
    core = ScorerCore(pipeline, WallClock())
    for partition in {row["source_partition"] for row in rows}:
        core.add_partition(partition, 0)
    records = []
    for row in rows:
        e = events[row["source_partition"], row["source_offset"]]
        records.append(SourceRecord(e.partition, e.offset, e.key, e.value, e.timestamp, e.timestamp * 1_000))
    found = [(log.partition, log.message) for log in core.step(records, Acting(0, None)).log]
    expected = {(p, o): vector for p, m in found for o, vector in _features(pipeline, m).items()}
    names = [feature.name for feature in pipeline.feature_vector]
    logged = {(r["source_partition"], r["source_offset"]): [r[name] for name in names] for r in rows}
    assert logged == expected


def logged_deltas(messages: Seen) -> list[dict[str, Any]]:
    """The outcome deltas that these messages of the feature log hold."""
    found = [deltas for m in messages if (deltas := decode_whole_log(m.value)[2]) is not None]
    return [row for deltas in found for row in deltas.to_pylist()]


def _features(pipeline: Pipeline, message: bytes) -> dict[int, list[Any]]:
    """Source offset -> the feature vector."""
    names = [feature.name for feature in pipeline.feature_vector]
    rows = decode_log(message)[0].to_pylist()
    return {row["source_offset"]: [row[name] for name in names] for row in rows}


def _steps(
    messages: Seen, records: list[SourceRecord]
) -> Iterable[tuple[list[SourceRecord], list[SourceDelta]]]:
    for message in messages:
        _, meta, deltas = decode_whole_log(message.value)
        step = [r for r in records if meta.first_offset <= r.offset < meta.next_offset]
        if step or deltas is not None:  # else what came again and was passed over
            yield step, [] if deltas is None else _as_they_came(deltas)


def _as_they_came(deltas: pa.RecordBatch) -> list[SourceDelta]:
    at = deltas.schema.get_field_index("event_time")
    plain = deltas.set_column(at, "event_time", deltas.column(at).cast(pa.int64()))
    return [
        SourceDelta(row["source_partition"], 0, (row["route_seq"], *list(row.values())[3:]))
        for row in plain.to_pylist()
    ]
