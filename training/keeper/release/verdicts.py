"""What matured labels say of the candidates; asked of the store now and then, since labels come slowly.

Whether one is surely worse is asked at few, set counts of frauds: ``looks`` says why.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from training.keeper.release.looks import (
    RESAMPLES,
    confidence_of_each,
    events_until,
    frauds_at_last_look,
)
from training.keeper.release.matured import compared, frauds_of, labelled, scored_beside
from training.keeper.release.stages import Seen
from training.keeper.release.watch import acted

if TYPE_CHECKING:
    import pyarrow as pa

    from streams.messages import Release
    from training.keeper.parts import Parts
    from training.keeper.release.live import Acted
    from training.keeper.release.registry import ModelState
    from training.keeper.release.stages import Candidate

EVERY = 600_000_000
"""On the pipeline's clock (us): how often labels are looked at, at most."""
_SHARE = 10
"""Looking at labels takes at most one part in so many of a thread's time."""


class Verdicts:
    """Remembers what was found last."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._spec = parts.pipeline.training.release
        self._seed = parts.pipeline.training.seed
        self._confidence = confidence_of_each(parts.pipeline.training.gate.confidence)
        self._asked: dict[tuple[str, int, int], str | None] = {}
        self._found: dict[str, Seen] = {}
        self._looked = 0
        self._due = 0.0

    def of(
        self, release: Release, present: dict[str, ModelState], candidates: list[Candidate], now: int
    ) -> dict[str, Seen]:
        """Frauds that each candidate scored beside another, and why it is surely worse, if it is."""
        wanted = {each.version for each in candidates}
        stale = not wanted <= self._found.keys() or now - self._looked >= EVERY
        started = time.monotonic()
        if wanted and stale and started >= self._due:
            self._found = self._judge(release, present, candidates, now)
            self._looked = now
            ended = time.monotonic()
            self._due = ended + _SHARE * (ended - started)
        return {version: seen for version, seen in self._found.items() if version in wanted}

    def _judge(
        self, release: Release, present: dict[str, ModelState], candidates: list[Candidate], now: int
    ) -> dict[str, Seen]:
        known = [since for each in candidates if (since := acted(present, each.version)) is not None]
        if not known:
            return {}
        with self._parts.store.cursor() as cursor:
            events = labelled(cursor, self._parts.pipeline, now, min(each.since for each in known))
            return {
                each.version: self._seen(each, scored_beside(cursor, events, each, str(release.champion)))
                for each in known
            }

    def _seen(self, of: Acted, pairs: pa.Table) -> Seen:
        frauds = frauds_of(pairs)
        due = frauds_at_last_look(frauds, self._spec.shadow.min_frauds)
        look = (of.version, of.epoch, due)
        if due and look not in self._asked:
            self._asked[look] = self._worse(events_until(pairs, due), due)
        return Seen(frauds=frauds, worse=self._asked.get(look))

    def _worse(self, pairs: pa.Table, frauds: int) -> str | None:
        paired = compared(pairs, self._seed, self._confidence, RESAMPLES)
        if not paired.surely_worse():
            return None
        return (
            f"on {frauds:,} matured frauds its average precision is {paired.ours:.3f}, surely less than "
            f"the {paired.theirs:.3f} of what acted beside it"
        )
