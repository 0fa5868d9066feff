"""Reasons to train before the next scheduled run: enough new frauds, or drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.units import to_text
from training.dataset.labels import TRUTHS
from training.keeper.drift import DriftAlerts
from training.keeper.queries import sql
from training.keeper.store import asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.keeper.parts import Parts
    from training.keeper.progress import Offsets
    from training.keeper.runs import LastRun, Runs, Why

_EVERY = 60_000_000
"""How often (us, on the pipeline's clock) is looked."""

log = structlog.get_logger()


class Triggers:
    """Looks what came since the last run that was no drill; used by the sink's thread.

    No run is asked for while one is yet to end, nor within ``not_within`` of the last.
    """

    def __init__(self, parts: Parts, runs: Runs, wake: Callable[[], None]) -> None:
        """``wake`` is called when a run was asked for."""
        self._parts = parts
        self._spec = parts.pipeline.training.triggers
        self._runs = runs
        self._wake = wake
        self._looked = 0
        self._seen: tuple[int | None, Offsets] | None = None
        self._drift = (
            DriftAlerts(parts.settings.bootstrap, parts.pipeline, runs.last()) if self._spec.drift else None
        )

    def start(self) -> None:
        """Begin to follow the alerts, where drift is a reason. Raises BrokerError."""
        if self._drift is not None:
            self._drift.start()
            self._runs.alerts_read = lambda: None if self._drift is None else self._drift.read

    def stop(self) -> None:
        """Follow them no more."""
        if self._drift is not None:
            self._drift.stop()

    def tick(self, now: int) -> None:
        """Ask for a run where there is a reason at ``now`` (us). Raises what ended the alerts' thread."""
        if self._drift is not None and self._drift.failure is not None:
            raise self._drift.failure
        if now < self._looked + _EVERY or (self._drift is None and self._spec.new_frauds is None):
            return
        self._looked = now
        last = self._runs.last()
        if last.open or (last.as_of is not None and now < last.as_of + self._spec.not_within):
            return
        reason = self._drifted(last) or self._enough_frauds(last, now)
        if reason is not None:
            why, cause = reason
            run = self._runs.request(why, now, cause=cause)
            log.info("training_triggered", run=run.run_id, why=why, cause=cause)
            self._wake()

    def _drifted(self, last: LastRun) -> tuple[Why, str] | None:
        found = None if self._drift is None else self._drift.since(last.alerts_until)
        return None if found is None else ("drift", f"{found.text} (alert {found.offset})")

    def _enough_frauds(self, last: LastRun, now: int) -> tuple[Why, str] | None:
        if self._spec.new_frauds is None:
            return None
        seen = last.as_of, self._outcomes_sunk()
        if seen == self._seen:
            return None  # no outcome has come since it was counted
        self._seen = seen
        frauds = self._count(last.as_of, now, self._spec.new_frauds)
        if frauds < self._spec.new_frauds:
            return None
        since = "so far" if last.as_of is None else f"since {to_text(last.as_of)}"
        return "new_frauds", f"{frauds} frauds became known {since}"

    def _outcomes_sunk(self) -> Offsets:
        topic = self._parts.pipeline.topics.outcomes
        return {at: offset for at, offset in self._parts.progress.offsets().items() if at[0] == topic}

    def _count(self, since: int | None, now: int, wanted: int) -> int:
        """How many; below ``wanted`` perhaps fewer than that, which is quicker to tell."""
        store = self._parts.store
        between: dict[str, object] = {"since": since or 0, "now": now}
        said = int(asked(store, sql("said_fraud"), between)[0]["frauds"])
        if said < wanted:
            return said
        between["precedence"] = list(self._parts.pipeline.outcomes.sources)
        return int(asked(store, sql("new_frauds").format(truths=TRUTHS), between)[0]["frauds"])
