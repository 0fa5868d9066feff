"""From decisions and outcomes to matured labels, and from these to quality.

A decision is judged once, when its event is as old as the maturity. Before that it is pending, whatever has
been said: frauds become known sooner than their absence, so early figures would mislead. Then its label is
the word of the source that counts most; else, if the event was let through, silence means legitimate; else
its truth will never be seen.

Memory is bounded: beyond ``limit`` pending decisions only a share of them is followed, halved as often as
needed, drawn by a hash of the event id so that outcomes fall to the same sample. Each then counts for the
events it stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.units import to_text
from streams.monitor.outcomes import Waiting, Word, event_key
from streams.monitor.pending import NO_RANK, Pending, pending_rows
from streams.monitor.quality import LEGITIMATE, UNKNOWN, Quality, control_weights

if TYPE_CHECKING:
    from feature_store.declaration.outcomes import OutcomeSpec
    from streams.messages import Outcome
    from streams.monitor.arrays import Flags, Floats, Ints, Rows

_DAY = 86_400_000_000
_DAYS_KEPT = 60
_LIMIT = 2_000_000
_WAITING_LIMIT = 200_000
_AT_ONCE = 10_000


class Maturing:
    """Follows decisions until they are mature, and keeps the quality of those that are."""

    def __init__(self, outcomes: OutcomeSpec, limit: int = _LIMIT, waiting: int = _WAITING_LIMIT) -> None:
        self._spec = outcomes
        self._limit = limit
        self._halvings = 0
        self._pending = Pending()
        self._waiting = Waiting(waiting)
        self._at_once = min(waiting, _AT_ONCE)
        self._said = Waiting(self._at_once)  # not yet looked up among the pending
        self._matured_until: int | None = None
        self.total = Quality()
        self.models: dict[int, Quality] = {}
        self._days: dict[int, Quality] = {}

    def decided(
        self,
        event_ids: list[str],
        times: Ints,
        bins: Ints,
        models: Ints,
        stopped: Flags,
        through: Flags,
        propensity: Floats,
    ) -> None:
        """Follow decisions: events' ids and times (us), score bins, model numbers, and what was done."""
        keys = np.fromiter(map(event_key, event_ids), np.uint64, len(event_ids))
        weights = control_weights(stopped, through, propensity)
        rows = pending_rows(keys, times, bins, models, stopped, through, weights)
        rows = rows[(rows["key"] & np.uint64(self._mask)) == 0]
        self._hear(rows)
        self._pending.add(rows)
        while len(self._pending) > self._limit:
            self._halvings += 1
            self._pending.thin(self._mask)

    def told(self, outcome: Outcome) -> None:
        """Hear an outcome; its event may be pending, or come later."""
        key = event_key(outcome.event_id)
        if key & self._mask:
            return
        if len(self._said) >= self._at_once:
            self._look_up()
        rank = self._spec.precedence(outcome.source)
        self._said.put(key, Word.of(outcome, rank))

    def mature(self, now: int) -> None:
        """Judge the decisions about events that are ``maturity`` old at ``now``.

        To be called only once every outcome that arrived until ``now`` has been told.
        """
        self._look_up()
        due = now - self._spec.maturity
        self._matured_until = max(due, self._matured_until or due)
        self._judge(self._pending.take_due(due))

    def status(self) -> dict[str, Any]:
        """What is pending, and the quality in total and per day of event time."""
        self._look_up()
        until = self._matured_until
        return {
            "maturity_s": self._spec.maturity / 1e6,
            "matured_until": None if until is None or until < 0 else to_text(until),
            "pending": len(self._pending) << self._halvings,
            "sample_share": 1 / (1 << self._halvings),
            "outcomes_waiting": len(self._waiting) << self._halvings,
            "outcomes_given_up": self._waiting.given_up,
            "total": self.total.status(),
            "days": [
                {"day": to_text(day * _DAY)[:10], **self._days[day].status()} for day in sorted(self._days)
            ],
        }

    @property
    def _mask(self) -> int:
        return (1 << self._halvings) - 1

    def _hear(self, rows: Rows) -> None:
        self._look_up()
        if not len(self._waiting):
            return
        for at, key in enumerate(rows["key"].tolist()):
            word = self._waiting.take(key)
            if word is not None:
                rows["label"][at], rows["rank"][at] = word.label, min(word.rank, NO_RANK)

    def _look_up(self) -> None:
        if not len(self._said):
            return
        words = self._said.take_all()
        found = self._pending.tell(words)
        for key, word in words.items():
            if key not in found:
                self._waiting.put(key, word)

    def _judge(self, rows: Rows) -> None:
        silent = rows["label"] == UNKNOWN
        labels = np.where(silent & rows["through"], LEGITIMATE, rows["label"]).astype(np.int64)
        days = rows["time"] // _DAY
        self._count(self.total, labels, rows)
        for model in np.unique(rows["model"]).tolist():
            of = rows["model"] == model
            self._count(self.models.setdefault(model, Quality()), labels[of], rows[of])
        for day in np.unique(days).tolist():
            of = days == day
            self._count(self._days.setdefault(day, Quality()), labels[of], rows[of])
        for day in sorted(self._days)[:-_DAYS_KEPT]:
            del self._days[day]

    def _count(self, quality: Quality, labels: Ints, rows: Rows) -> None:
        bins, weights = rows["bin"].astype(np.int64), rows["weight"].astype(np.float64)
        quality.add(labels, rows["stopped"], bins, weights, 1 << self._halvings)
