"""What people steer the keeper by: everything that its API and its pages need, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from feature_store.errors import ContractError
from training.keeper.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.keeper.audit import Audit
    from training.keeper.parts import Parts
    from training.keeper.policies import Policies
    from training.keeper.runs import Run, Runs
    from training.keeper.trainings import Trainings


@dataclass(frozen=True)
class Desk:
    """The keeper's parts for whoever looks or commands; usable from any thread, the store through cursors."""

    parts: Parts
    policies: Policies
    runs: Runs
    trainings: Trainings
    next_run: Callable[[], int | None]
    audit: Audit
    verdicts: Verdicts = field(init=False)

    def __post_init__(self) -> None:
        """What people say of events goes through one place."""
        object.__setattr__(self, "verdicts", Verdicts(self.parts, self.audit))

    def ask_for_run(
        self,
        *,
        shuffle_labels: bool = False,
        dry: bool = False,
        trust_data: bool = False,
        cause: str | None = None,
    ) -> Run:
        """Ask for a training run on what is known now. Raises ContractError where nothing was decided yet."""
        now = self.parts.clock.now()
        if now == 0:
            raise ContractError("nothing has been decided yet, so there is nothing to train on")
        run = self.runs.request(
            "command", now, shuffle_labels=shuffle_labels, dry=dry, trust_data=trust_data, cause=cause
        )
        self.trainings.wake()
        return run
