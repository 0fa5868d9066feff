"""Decided events in the store of a desk, as a keeper would have sunk them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from feature_store.duck import relations
from tests.unit.keeper.past import add_live
from tests.unit.keeper.written import MINUTE, START, decided

if TYPE_CHECKING:
    from streams.messages import Decision
    from training.keeper.desk import Desk


class Stored:
    """Puts events into the store of ``desk``, a minute of arrival apart, all on partition 0."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._next = 0

    def add(self, count: int = 1, *, message: dict[str, Any] | None = None, **columns: Any) -> list[str]:
        """Add ``count`` events with these columns, their decision changed by ``message``; gives their ids."""
        parts, first = self._desk.parts, self._next
        self._next += count
        add_live(parts.store, parts.pipeline, first, count, **columns)
        sent = [
            decision_of(self._desk, offset, columns.get("event_id"), **(message or {}))
            for offset in range(first, self._next)
        ]
        records = [
            {
                "partition": 0,
                "offset": each.source.offset,
                "event_id": each.event_id,
                "source_topic": each.source.topic,
                "source_partition": 0,
                "source_offset": each.source.offset,
                "action": columns.get("action", "approve"),
                "release_epoch": 0,
                "message": msgspec.json.encode(each).decode(),
            }
            for each in sent
        ]
        with relations(parts.store, incoming=pa.Table.from_pylist(records)):
            parts.store.execute("INSERT INTO decisions BY NAME FROM incoming")
        parts.clock.observe(START + self._next * MINUTE)
        return [each.event_id for each in sent]


def decision_of(desk: Desk, offset: int, event: str | None = None, **changes: Any) -> Decision:
    """A decision about the event at ``offset`` of partition 0."""
    made = decided(desk.parts.pipeline, 0, offset)
    return msgspec.structs.replace(made, **({"event_id": event or made.event_id} | changes))
