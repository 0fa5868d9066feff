"""What the gate found, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from training.gate import features, labels

if TYPE_CHECKING:
    from training.contract import Check

DOUBTS = frozenset({features.NAME, labels.NAME})
"""Checks that doubt the data, not the challenger: a request with ``trust_data`` lets them pass."""


@dataclass(frozen=True)
class Verdict:
    """All checks, and the numbers measured on the judged stretch."""

    checks: list[Check]
    metrics: dict[str, float]
    champion_metrics: dict[str, float]
    words: str
    """What speaks for the challenger."""
    trusted: bool = False
    notes: list[str] = field(default_factory=list)
    """What should be known whatever the verdict is."""

    @property
    def refusals(self) -> list[str]:
        """Why it is refused; empty when it passed."""
        return [check.reason for check in self.checks if not check.passed and not self._trusts(check)]

    @property
    def reasons(self) -> list[str]:
        """The refusals, or what speaks for it; what was let pass, and the notes."""
        let_pass = [check for check in self.checks if not check.passed and self._trusts(check)]
        told = [f"{check.reason} (let pass: the data are trusted)" for check in let_pass]
        return [*(self.refusals or [self.words]), *told, *self.notes]

    def and_also(self, checks: list[Check], metrics: dict[str, float]) -> Verdict:
        """The same with what was found later."""
        return replace(self, checks=[*self.checks, *checks], metrics={**self.metrics, **metrics})

    def _trusts(self, check: Check) -> bool:
        return self.trusted and check.name in DOUBTS
