"""From the schedule to a run: recorded first, then started; what was missed is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.units import to_text

if TYPE_CHECKING:
    from training.keeper.parts import Parts
    from training.keeper.runs import Runs
    from training.keeper.schedule.ticked import Due
    from training.keeper.trainings import Trainings

GRACE = 6 * 3_600_000_000
"""A run that is this late (us, on the pipeline's clock) counts as missed; it is caught up all the same."""

_MINUTE = 60_000_000


class DueRuns:
    """Called by the schedule, in the sink's thread, when a run is due."""

    def __init__(self, parts: Parts, runs: Runs, trainings: Trainings) -> None:
        self._parts = parts
        self._runs = runs
        self._trainings = trainings

    def __call__(self, due: Due) -> None:
        """Record the run and wake the trainings. A repeated call for the same time changes nothing."""
        if any(run.why == "schedule" and run.as_of == due.at for run in self._runs.all()):
            return
        late = self._parts.clock.now() - due.at
        run = self._runs.request("schedule", due.at)
        if due.passed_over or late > GRACE:
            self._parts.alert(
                "missed_run",
                f"the training due at {to_text(due.at)} is {late // _MINUTE} minutes late; "
                f"{due.passed_over} before it were passed over",
                {"run": run.run_id, "passed_over": due.passed_over},
            )
        self._trainings.wake()
