"""What people steer the keeper by: everything that its API and its pages need, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from training.keeper.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.keeper.audit import Audit
    from training.keeper.parts import Parts
    from training.keeper.policies import Policies
    from training.keeper.runs import Runs
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
