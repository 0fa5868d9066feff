"""Where the sink begins: at the offsets in the store, if the topics still reach back to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.errors import StorageError
from streams.kafka import end_offsets, start_offsets
from training.keeper.queries import sql
from training.keeper.store import STORE, bind_to_cluster
from training.sink.reading import cluster_of

if TYPE_CHECKING:
    from feature_store.duck import Connection
    from streams.kafka import Consumer
    from training.keeper.parts import Parts
    from training.keeper.progress import Offsets

log = structlog.get_logger()


def starting_offsets(consumer: Consumer, parts: Parts) -> Offsets:
    """(topic, partition) -> the offset to seek to; a partition that is new begins at the log's start.

    Raises StorageError where a stored offset is below the log's start or beyond its end, and says what is
    missing.
    """
    path = parts.settings.state_dir / STORE
    bind_to_cluster(parts.store, path, cluster_of(consumer))
    stored = {(topic, p): at for topic, p, at in parts.store.execute(sql("stored_offsets")).fetchall()}
    offsets: Offsets = {}
    new: Offsets = {}
    findings: list[str] = []
    for topic in parts.ends.topics:
        ends = end_offsets(consumer, topic)
        for partition, start in start_offsets(consumer, topic).items():
            at = stored.get((topic, partition))
            if at is None:
                new[topic, partition] = start
            elif finding := _finding(topic, partition, at, start, ends[partition]):
                findings.append(finding)
            offsets[topic, partition] = start if at is None else at
    if findings:
        raise StorageError(f"{path} and Kafka do not fit together:\n" + "\n".join(findings))
    _add(parts.store, new, parts.pipeline.topics.features)
    return offsets


def _add(store: Connection, new: Offsets, features: str) -> None:
    for (topic, partition), start in new.items():
        if start > 0:
            log.warning("history_incomplete", topic=topic, partition=partition, log_start=start)
            if topic == features:
                store.execute(sql("add_gap"), {"partition": partition, "log_start": start})
        store.execute(sql("add_offset"), {"topic": topic, "partition": partition, "next_offset": start})


def _finding(topic: str, partition: int, at: int, start: int, end: int) -> str | None:
    where = f"{topic}[{partition}]"
    if at < start:
        return (
            f"{where}: offsets {at} to {start - 1} left the topic before they were sunk; restore them, "
            "or start anew with another state folder and a longer topics.retention"
        )
    if at > end:
        return (
            f"{where}: sunk up to offset {at} but the topic ends at {end}, so it was made anew; "
            "use another state folder"
        )
    return None
