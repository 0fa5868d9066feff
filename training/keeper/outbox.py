"""The outbox as its topics know it: a store that was lost or put back from a copy goes on where that one was.

Scorers skip what is not above the last ``route_seq`` they applied, so no number may be given twice. What an
earlier store sent stands on the topics: it is taken from there before anything is routed, and after what an
earlier keeper left open was ended, so that nothing of it can come later. The first topic has every delta;
those of stages only say how far they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pyarrow as pa
import structlog

from feature_store.clock import ARRIVED_AT
from feature_store.duck import relations
from feature_store.errors import ContractError
from feature_store.units import from_text
from streams.kafka import end_offsets, headers_of, read_range, reader, start_offsets
from streams.messages import OutcomeDelta
from training.keeper.outcome_topics import keep_stages, outcome_topics, set_reached
from training.keeper.queries import sql
from training.keeper.rows import position
from training.keeper.store import outbox_schema, rows, transaction
from training.sole_producer import settle

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message
    from training.keeper.parts import Parts

log = structlog.get_logger()


def recover_outbox(parts: Parts) -> None:
    """Add the deltas on the topics that the store does not know; to be called before anything is routed.

    Reads what was written since the last call. Raises BrokerError, StorageError, or ContractError naming a
    message that is no delta.
    """
    pipeline, store = parts.pipeline, parts.store
    topics = outcome_topics(pipeline)
    with parts.writing, transaction(store):
        keep_stages(store, topics)
    if not topics:
        return
    sent = f"{topics[0].name}: what an earlier keeper sent"
    settle(parts.settings.bootstrap, sender_id(pipeline), sent)
    read = [_read(parts, topic.name, whole=topic.key is None) for topic in topics]
    newest = {topic.name: each.newest for topic, each in zip(topics, read, strict=True)}
    newest[topics[0].name] = max(newest.values())  # no stage has what the first topic never had
    with parts.writing, transaction(store):
        last = rows(store, "routing")[0]["last"]
        lacking = {row["route_seq"]: row for row in read[0].rows if row["route_seq"] > last}
        if lacking:
            _add(parts, list(lacking.values()))
        set_reached(store, topics, newest)
        for topic, each in zip(topics, read, strict=True):
            store.execute(sql("forget_offsets"), {"topic": topic.name})
            for partition, end in each.ends.items():
                place = {"topic": topic.name, "partition": partition, "next_offset": end}
                store.execute(sql("add_offset"), place)


class _Read(NamedTuple):
    rows: list[dict[str, Any]]
    newest: int
    ends: dict[int, int]


def _read(parts: Parts, topic: str, *, whole: bool) -> _Read:
    """What was written to a topic since the store last looked; without ``whole`` only how far it is."""
    stored = parts.store.execute(sql("stored_offsets")).fetchall()
    known = {p: at for t, p, at in stored if t == topic}
    starts, ends = _watermarks(parts, topic)
    ranges = {p: (max(starts[p], min(known.get(p, 0), end)), end) for p, end in ends.items()}
    names = parts.pipeline.outcome_fields
    found: list[dict[str, Any]] = []
    newest = 0
    for message in read_range(parts.settings.bootstrap, topic, ranges):
        row = _row(message, names)
        newest = max(newest, row["route_seq"])
        if whole:
            found.append(row)
    return _Read(found, newest, ends)


def sender_id(pipeline: Pipeline) -> str:
    """The transactional id under which deltas are sent."""
    return f"sluicegate.{pipeline.name}.keeper.outcomes"


def _watermarks(parts: Parts, topic: str) -> tuple[dict[int, int], dict[int, int]]:
    asking = reader(parts.settings.bootstrap)
    try:
        return start_offsets(asking, topic), end_offsets(asking, topic)
    finally:
        asking.close()


def _row(message: Message, names: tuple[str, ...]) -> dict[str, Any]:
    try:
        delta = msgspec.json.decode(message.value() or b"", type=OutcomeDelta)
        arrived = int(dict(headers_of(message) or ())[ARRIVED_AT] or b"")
        return {
            "route_seq": delta.route_seq,
            "source_partition": message.partition(),
            "event_id": delta.event_id,
            "event_time": from_text(delta.event_time),
            "fraud": delta.fraud,
            "let_through": delta.let_through,
            "arrived_at": arrived * 1_000,
        } | {f"entity_{name}": delta.entity.get(name) for name in names}
    except (msgspec.MsgspecError, KeyError, ValueError, OverflowError) as error:
        raise ContractError(f"{position(message)}: not an outcome delta of a keeper: {error!r}") from error


def _add(parts: Parts, lacking: list[dict[str, Any]]) -> None:
    try:
        table = pa.Table.from_pylist(lacking, outbox_schema(parts.pipeline))
    except pa.ArrowException as error:
        topic = parts.pipeline.topics.entity_outcomes
        raise ContractError(f"{topic}: outcome deltas have fields of another type: {error}") from error
    with relations(parts.store, incoming=table):
        parts.store.execute("INSERT INTO outbox BY NAME FROM incoming")
    log.warning("outbox_recovered", deltas=len(lacking))
