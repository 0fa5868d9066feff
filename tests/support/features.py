"""The features that were logged, held to those of an uninterrupted run."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from feature_store.clock import WallClock
from feature_store.log import decode_log
from feature_store.snapshots import units_of
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord
from tests.support.kafka import read_all, read_until

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker


Place = tuple[int, int]
"""Source partition and offset."""


def assert_features_as_if_nothing_had_happened(broker: Broker, pipeline: Pipeline) -> None:
    """Every logged row equals that of a scorer that saw the events in one go, in the order of the log."""
    messages = read_all(broker.bootstrap, pipeline.topics.features)
    rows = [row for message in messages for row in decode_log(message.value)[0].to_pylist()]
    ends = {m.partition: decode_log(m.value)[1].next_offset for m in messages}
    total = read_until(
        broker.bootstrap, [pipeline.topics.events], lambda seen: len(seen) >= sum(ends.values())
    )
    events = {(e.partition, e.offset): e for e in total}
    for partitions in units_of(pipeline, ends).values():
        mine = sorted((row for row in rows if row["source_partition"] in partitions), key=itemgetter("seq"))
        core = ScorerCore(pipeline, WallClock())
        for partition in partitions:
            core.add_partition(partition, 0)
        records = [_record(events[place]) for place in map(_place, mine)]
        found = core.step(records, Acting(0, None))
        expected = [row for message in found.log for row in decode_log(message.message)[0].to_pylist()]
        assert _features(pipeline, mine) == _features(pipeline, expected)


def _place(row: dict[str, Any]) -> Place:
    return row["source_partition"], row["source_offset"]


def _features(pipeline: Pipeline, rows: list[dict[str, Any]]) -> dict[Place, list[Any]]:
    return {_place(row): [row[feature.name] for feature in pipeline.feature_vector] for row in rows}


def _record(event: Any) -> SourceRecord:
    arrived_at = event.timestamp * 1_000
    return SourceRecord(event.partition, event.offset, event.key, event.value, event.timestamp, arrived_at)
