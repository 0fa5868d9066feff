"""Durations and instants: whole microseconds everywhere, text only at the edges."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_DURATION = re.compile(r"(\d+)\s*(ms|[smhdw])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_INSTANT = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z: what has a year of four digits can be written in a message."""
LAST_INSTANT = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z."""
_MICROSECOND = timedelta(microseconds=1)


def parse_duration(text: object) -> int:
    """Microseconds in a duration such as ``30s``, ``24h``, ``7d`` or ``1h30m``.

    Raises ValueError naming the form that is expected.
    """
    if isinstance(text, int) and not isinstance(text, bool) and text == 0:
        return 0
    found = _DURATION.findall(str(text))
    if not found or "".join(_DURATION.split(str(text))[::3]).strip():
        raise ValueError("expected a duration such as 500ms, 30s, 15m, 24h, 7d or 1h30m")
    return sum(int(count) * _UNITS[unit] for count, unit in found)


def format_duration(microseconds: int) -> str:
    """The shortest declared form: 86_400_000_000 is ``24h``, 604_800_000_000 is ``7d``.

    One day stays ``24h``: both spellings are one window, and one window has one name.
    """
    if microseconds == 0:
        return "0s"
    if microseconds == _UNITS["d"]:
        return "24h"
    for unit in ("d", "h", "m", "s", "ms"):
        if microseconds % _UNITS[unit] == 0:
            return f"{microseconds // _UNITS[unit]}{unit}"
    raise ValueError(f"{microseconds} us is finer than a millisecond")


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(\d+\s*(ms|[smhdw]))+$",
            "examples": ["30s", "15m", "24h", "7d"],
        }
    ),
]


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exactly; ``moment`` must carry a UTC offset."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(microseconds: int) -> datetime:
    """The UTC instant of ``microseconds`` since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_text(microseconds: int) -> str:
    """RFC 3339 in UTC with microseconds, as in messages: ``2026-01-31T12:00:00.000000Z``."""
    return f"{to_datetime(microseconds).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def from_text(value: Any) -> int:
    """Microseconds from an RFC 3339 text. Raises ValueError without a UTC offset."""
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no UTC offset")
    return to_micros(moment)
