"""The features that were logged, held to those of an uninterrupted run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.clock import WallClock
from feature_store.log import decode_log
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord
from tests.support.kafka import read_all, read_until

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker


def assert_features_as_if_nothing_had_happened(broker: Broker, pipeline: Pipeline) -> None:
    """Every logged row equals that of a scorer that saw the partition's events in one go."""
    messages = read_all(broker.bootstrap, pipeline.topics.features)
    ends = {m.partition: decode_log(m.value)[1].next_offset for m in messages}
    total = read_until(
        broker.bootstrap, [pipeline.topics.events], lambda seen: len(seen) >= sum(ends.values())
    )
    names = [feature.name for feature in pipeline.feature_vector]
    for partition in ends:
        logged: dict[int, list[Any]] = {}
        for message in messages:
            if message.partition == partition:
                for row in decode_log(message.value)[0].to_pylist():
                    logged[row["source_offset"]] = [row[name] for name in names]
        core = ScorerCore(pipeline, WallClock())
        core.add_partition(partition, 0)
        records = [
            SourceRecord(partition, e.offset, e.key, e.value, e.timestamp, e.timestamp * 1_000)
            for e in total
            if e.partition == partition
        ]
        batch, _ = decode_log(core.step(records, Acting(0, None)).log[0].message)
        expected = {row["source_offset"]: [row[name] for name in names] for row in batch.to_pylist()}
        assert logged == expected
