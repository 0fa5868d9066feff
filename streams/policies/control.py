"""The control group: stopped events let through at a known rate, by a draw that a retry repeats."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from streams.policies.actions import APPROVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.outcomes import ControlGroup
    from streams.models.engine import Vector
    from streams.policies.actions import Mask, Strengths


class ControlDraw:
    """Draws for the events that a policy stopped; the rest of a batch costs nothing."""

    def __init__(self, control: ControlGroup) -> None:
        self._rate = control.rate
        self._secret = hashlib.sha256(control.key.encode()).digest()

    def let_through(
        self, event_ids: Sequence[str], policy_actions: Strengths, final: Mask
    ) -> tuple[Strengths, Vector]:
        """The actions taken, and the probability with which each event was let through.

        It is 1.0 where the policy approved, 0.0 where its word is ``final``, and the group's rate elsewhere.
        """
        stopped = policy_actions != APPROVE
        propensities = np.where(stopped, np.where(final, 0.0, self._rate), 1.0)
        if self._rate == 0.0:
            return policy_actions, propensities
        actions = policy_actions.copy()
        for row in np.flatnonzero(stopped & ~final).tolist():
            if self._draw(event_ids[row]) < self._rate:
                actions[row] = APPROVE
        return actions, propensities

    def _draw(self, event_id: str) -> float:
        """A number in [0, 1) that only the holder of the key can foresee."""
        word = hashlib.blake2b(event_id.encode(), key=self._secret, digest_size=8).digest()
        return int.from_bytes(word, "big") / 2.0**64
