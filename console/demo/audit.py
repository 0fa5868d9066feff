"""Was anything lost or decided twice? Read back from Kafka, by id and by position, not from own counters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from streams.messages import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Position = tuple[int, int]
"""Partition and offset."""

Amendment = tuple[Position, str]
"""The decision that an amended one names, and the id of its own event."""


class DecidedBy(msgspec.Struct, frozen=True):
    """The part of a decision that the audit reads."""

    event_id: str
    event_time: str
    action: str
    score: float | None
    model: str | None
    release: int
    source: Source


@dataclass(frozen=True)
class Audit:
    """What became of every record on the events topic.

    ``events`` = ``decisions`` + ``dead_letters`` + ``repeats`` + ``lost``, unless something is ``wrong``:
    ``duplicates`` counts decisions and dead letters beyond the first for one id or one record, ``strays``
    those for records that are not there, and amended decisions that name none about their event. One
    decision may be amended, once: ``amendments`` are no decisions.
    """

    events: int
    decisions: int
    amendments: int
    dead_letters: int
    repeats: int
    lost: int
    duplicates: int
    strays: int
    examples: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether every record has exactly one fate."""
        return not (self.lost or self.duplicates or self.strays)


def audit(
    events: Iterable[tuple[Position, str | None]],
    decisions: Iterable[tuple[Position, str]],
    dead_letters: Iterable[Position],
    amended: Iterable[Amendment] = (),
    decided_at: Mapping[Position, str] | None = None,
) -> Audit:
    """Compare events (position and id, None where it cannot be read) with decisions and dead letters.

    A record that is neither decided nor dead-lettered is a counted repeat where its id is decided elsewhere,
    else it is lost. ``decided_at`` says where each decision stands, for those that ``amended`` names.
    """
    ids = dict(events)
    decided = list(decisions)
    buried = Counter(dead_letters)
    by_position = Counter(position for position, _ in decided)
    by_id = Counter(event_id for _, event_id in decided)
    fates = by_position + buried
    silent = [position for position in ids if position not in fates]
    lost = [position for position in silent if ids[position] not in by_id]
    strays = [position for position in fates if position not in ids]
    twice = [f"id {event_id}" for event_id, count in by_id.items() if count > 1]
    twice += [f"record {position}" for position, count in fates.items() if count > 1]
    amends = list(amended)
    named = Counter(place for place, _ in amends)
    nameless = [place for place, event_id in amends if (decided_at or {}).get(place) != event_id]
    twice += [f"amended {place}" for place, count in named.items() if count > 1]
    wrong_id = [position for position, event_id in decided if position in ids and ids[position] != event_id]
    return Audit(
        events=len(ids),
        decisions=len(decided),
        amendments=len(amends),
        dead_letters=buried.total(),
        repeats=len(silent) - len(lost),
        lost=len(lost),
        duplicates=max(_beyond_first(by_id), _beyond_first(fates)) + _beyond_first(named),
        strays=len(strays) + len(wrong_id) + len(nameless),
        examples=[
            *(f"lost: {position} id {ids[position]}" for position in lost[:5]),
            *(f"more than once: {what}" for what in twice[:5]),
            *(f"no such record, or another id there: {position}" for position in (strays + wrong_id)[:5]),
            *(f"amends no decision about its event: {place}" for place in nameless[:5]),
        ],
    )


def _beyond_first(counts: Counter[str] | Counter[Position]) -> int:
    return sum(count - 1 for count in counts.values())
