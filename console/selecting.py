"""Which dead letters a command line means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.dead_letters import Selection, place_of
from console.sending import as_utc
from feature_store.units import to_micros

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def selection(
    reasons: Sequence[str] | None,
    partitions: Sequence[int] | None,
    since: datetime | None,
    until: datetime | None,
    event_id: str | None,
    places: Sequence[str],
) -> Selection:
    """The options as one thing. Raises ConfigError for what is no place."""
    return Selection(
        reasons=frozenset(reasons or ()),
        partitions=frozenset(partitions or ()),
        places=frozenset(map(place_of, places)),
        since_us=_micros(since),
        until_us=_micros(until),
        event_id=event_id,
    )


def _micros(moment: datetime | None) -> int | None:
    utc = as_utc(moment)
    return None if utc is None else to_micros(utc)
