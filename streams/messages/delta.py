"""The outcome delta: what became known about an event, on its way into the features of its entities."""

from __future__ import annotations

import msgspec


class OutcomeDelta(msgspec.Struct, frozen=True):
    """The message on the entity-outcomes topic; only the keeper writes it.

    ``fraud`` is +1 when the event became known as fraud, -1 when that was taken back. ``route_seq`` grows
    with every delta of the keeper; a delta at or below the last one applied was applied before. ``entity``
    holds the event's own fields that outcome features count for, None where the event had none.
    """

    route_seq: int
    event_id: str
    event_time: str
    fraud: int
    let_through: bool
    entity: dict[str, str | int | bool | None]
