"""The outbox as the topic knows it: a store that was lost or put back from a copy goes on where that one was.

Scorers skip what is not above the last ``route_seq`` they applied, so no number may be given twice. What an
earlier store sent stands on the topic: it is taken from there before anything is routed, and after what an
earlier keeper left open was ended, so that nothing of it can come later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import structlog

from feature_store.clock import ARRIVED_AT
from feature_store.duck import relations
from feature_store.errors import BrokerError, ContractError
from feature_store.units import from_text
from streams.kafka import (
    KafkaException,
    end_offsets,
    headers_of,
    read_range,
    reader,
    start_offsets,
    transactional_producer,
)
from streams.messages import OutcomeDelta
from training.keeper.queries import sql
from training.keeper.rows import position
from training.keeper.store import outbox_schema, rows, transaction

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message
    from training.keeper.parts import Parts

log = structlog.get_logger()
_SETTLE_S = 30.0


def recover_outbox(parts: Parts) -> None:
    """Add the deltas on the topic that the store does not know; to be called before anything is routed.

    Reads what was written since the last call. Raises BrokerError, StorageError, or ContractError naming a
    message that is no delta.
    """
    pipeline, store = parts.pipeline, parts.store
    if not pipeline.outcome_fields:
        return
    topic = pipeline.topics.entity_outcomes
    _settle(parts)
    known = {p: at for t, p, at in store.execute(sql("stored_offsets")).fetchall() if t == topic}
    starts, ends = _watermarks(parts, topic)
    ranges = {p: (max(starts[p], min(known.get(p, 0), end)), end) for p, end in ends.items()}
    names = pipeline.outcome_fields
    found = [_row(message, names) for message in read_range(parts.settings.bootstrap, topic, ranges)]
    newest = max((row["route_seq"] for row in found), default=0)
    with parts.writing, transaction(store):
        last = rows(store, "routing")[0]["last"]
        lacking = {row["route_seq"]: row for row in found if row["route_seq"] > last}
        if lacking:
            _add(parts, list(lacking.values()))
        store.execute(sql("set_sent"), {"sent": newest})
        store.execute(sql("forget_offsets"), {"topic": topic})
        for partition, end in ends.items():
            store.execute(sql("add_offset"), {"topic": topic, "partition": partition, "next_offset": end})


def sender_id(pipeline: Pipeline) -> str:
    """The transactional id under which deltas are sent."""
    return f"sluicegate.{pipeline.name}.keeper.outcomes"


def _settle(parts: Parts) -> None:
    """End what an earlier keeper left open, and keep it from sending more."""
    producer = transactional_producer(parts.settings.bootstrap, sender_id(parts.pipeline))
    try:
        producer.list_topics(timeout=_SETTLE_S)  # unconnected, the next call sleeps first
        producer.init_transactions(_SETTLE_S)
    except KafkaException as error:
        topic = parts.pipeline.topics.entity_outcomes
        raise BrokerError(f"{topic}: what an earlier keeper sent cannot be settled: {error}") from error
    finally:
        producer.close()


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
