"""Broken messages, as careless or hostile producers send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.units import from_text, to_text
from streams.sources.simulate.scenario import DAY_US

if TYPE_CHECKING:
    from collections.abc import Callable


def spoil(event: bytes, kind: int) -> bytes:
    """A broken copy of ``event`` under another id; ``kind`` modulo the number of ways to break one."""
    fields: dict[str, Any] = msgspec.json.decode(event)
    fields["event_id"] = f"x{fields['event_id']}"
    return _WAYS[kind % len(_WAYS)](fields)


def _not_json(fields: dict[str, Any]) -> bytes:
    whole = msgspec.json.encode(fields)
    return whole[: len(whole) // 2]


def _missing_field(fields: dict[str, Any]) -> bytes:
    del fields["terminal_id"]
    return msgspec.json.encode(fields)


def _wrong_type(fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode({**fields, "amount": "a lot"})


def _far_future(fields: dict[str, Any]) -> bytes:
    later = to_text(from_text(fields["event_time"]) + 30 * DAY_US)
    return msgspec.json.encode({**fields, "event_time": later})


_WAYS: tuple[Callable[[dict[str, Any]], bytes], ...] = (_not_json, _missing_field, _wrong_type, _far_future)
