"""Noticing that too many records are refused: a share over a window of the pipeline's clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.units import format_duration

if TYPE_CHECKING:
    from feature_store.declaration.serving import DeadLetterAlertSpec

_SLOTS = 60
"""Parts of a window: so finely it slides."""


@dataclass(frozen=True)
class Exceeded:
    """What was seen when the share was reached."""

    events: int
    refused: int
    window: int

    @property
    def text(self) -> str:
        """For a person."""
        return (
            f"{self.refused} of {self.events} records within {format_duration(self.window)} became dead "
            "letters; `sluicegate dlq list` says why. Scoring goes on"
        )

    @property
    def details(self) -> dict[str, str | int | float | None]:
        """For programs."""
        return {
            "events": self.events,
            "refused": self.refused,
            "share": round(self.refused / self.events, 4),
            "window_s": self.window / 1e6,
        }


@dataclass
class _Slot:
    number: int
    events: int = 0
    refused: int = 0


class BadShare:
    """Counts records and refusals, a call per step; says once that the share is reached.

    It says so again only after the share was below half of it. A window with too few records says nothing:
    two of three are no sign.
    """

    def __init__(self, declared: DeadLetterAlertSpec) -> None:
        self._share = declared.share
        self._window = declared.window
        self._least = declared.least
        self._slot_us = max(1, declared.window // _SLOTS)
        self._slots: deque[_Slot] = deque()
        self._events = 0
        self._refused = 0
        self._raised = False

    def step(self, events: int, refused: int, now: int) -> Exceeded | None:
        """Count a step of ``events`` records, ``refused`` of them, at ``now`` (us); what to raise, if any."""
        self._count(events, refused, now // self._slot_us)
        share = self._refused / self._events if self._events else 0.0
        if self._raised:
            self._raised = share >= self._share / 2
            return None
        if self._events < self._least or share < self._share:
            return None
        self._raised = True
        return Exceeded(self._events, self._refused, self._window)

    def _count(self, events: int, refused: int, number: int) -> None:
        slots = self._slots
        if not slots or number > slots[-1].number:  # a clock that is set back counts into the newest slot
            slots.append(_Slot(number))
        slots[-1].events += events
        slots[-1].refused += refused
        self._events += events
        self._refused += refused
        while slots[0].number <= slots[-1].number - _SLOTS:
            gone = slots.popleft()
            self._events -= gone.events
            self._refused -= gone.refused
