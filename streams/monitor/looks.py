"""Looking: at fixed intervals the figures are made, and what changed is told, once."""

from __future__ import annotations

import secrets
import time
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from streams.messages.alert import CLEARED, SUBJECTS
from streams.monitor.episodes import Episodes
from streams.monitor.told import BY
from streams.monitor.troubles import (
    BY_EVENTS,
    BY_THE_WALL,
    DRIFT,
    MISSING,
    levels_by_events,
    levels_by_the_wall,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import Details
    from streams.monitor.episodes import Level, Subject
    from streams.monitor.figures import Figures


class Send(Protocol):
    """Raises an alert."""

    def __call__(self, kind: str, text: str, details: Details) -> None:
        """``kind`` is a stable word, ``text`` is for a person."""
        ...


class Looks:
    """Decides when to look, and tells what a look changed."""

    def __init__(self, pipeline: Pipeline, send: Send) -> None:
        spec = pipeline.monitoring
        self.name = secrets.token_hex(4)
        self.episodes = Episodes(spec.raise_after, spec.clear_after)
        self._every = spec.every
        self._send = send
        self._events_at = 0
        self._wall_at = 0.0
        self._reference: str | None = None

    def due(self, now: int) -> bool:
        """Whether to look at the events; ``now`` (us) is the pipeline's clock."""
        return now >= self._events_at + self._every

    def at_events(self, now: int, figures: Figures) -> None:
        """Take in a look at the events at ``now`` (us)."""
        self._events_at = now
        reference = figures.drift["reference"]
        if reference != self._reference:
            self._reference = reference
            self.episodes.forget_streaks({DRIFT, MISSING})
        self._take_in(levels_by_events(figures), BY_EVENTS, figures)

    def due_by_the_wall(self) -> bool:
        """Whether to look at what goes by real time."""
        return time.monotonic() >= self._wall_at + self._every / 1e6

    def by_the_wall(self, figures: Figures) -> None:
        """Take in a look at the clock."""
        self._wall_at = time.monotonic()
        self._take_in(levels_by_the_wall(figures), BY_THE_WALL, figures)

    def _take_in(self, found: Mapping[Subject, Level], kinds: frozenset[str], figures: Figures) -> None:
        changes = self.episodes.look(found, kinds)
        self._tell(changes.raised, lambda kind, of: (kind, *words(kind, of, figures)))
        self._tell(changes.cleared, _over)

    def _tell(
        self, subjects: list[Subject], said: Callable[[str, list[Subject]], tuple[str, str, Details]]
    ) -> None:
        for kind, group in groupby(sorted(subjects), key=attrgetter("kind")):
            of = list(group)
            named, text, details = said(kind, of)
            about: Details = {SUBJECTS: ",".join(each.of for each in of), BY: self.name}
            self._send(named, text, details | about)


def _over(kind: str, of: list[Subject]) -> tuple[str, str, Details]:
    return f"{kind}{CLEARED}", f"over: {kind.replace('_', ' ')} of {', '.join(each.of for each in of)}", {}
