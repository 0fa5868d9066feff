"""From scores to actions: expected money lost, rules, and the control group. Pure functions on columns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feature_store.declaration.decision import Action, Costs, Rule

if TYPE_CHECKING:
    from feature_store.declaration.outcomes import ControlGroup
    from feature_store.expressions import Flags
    from streams.models.engine import Vector

ACTIONS = (Action.APPROVE, Action.REVIEW, Action.DECLINE)
"""From mildest to strongest; an action is handled as its position here."""

Strengths = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Verdict:
    """What is done with one event."""

    policy_action: Action
    action: Action
    propensity: float


def cheapest_actions(scores: Vector, amounts: Vector, costs: Costs) -> Strengths:
    """The action with the least expected cost per event; on a tie the milder one.

    A missed fraud costs ``missed_fraud_share`` of the amount plus ``missed_fraud``; a review costs its
    price; a decline costs ``false_decline`` when the event was legitimate. All in the amount's currency unit.
    """
    missed = np.nan_to_num(amounts) * costs.missed_fraud_share + costs.missed_fraud
    expected = np.stack(
        [
            scores * missed,
            np.full(len(scores), costs.review),
            (1.0 - scores) * costs.false_decline,
        ]
    )
    return np.asarray(expected.argmin(axis=0), np.int64)


def ruled_actions(flags: Flags, rules: tuple[Rule, ...]) -> Strengths:
    """The strongest action among the rules that match; approve where none does."""
    strengths = np.zeros(len(flags), np.int64)
    for position, rule in enumerate(rules):
        hit = flags[:, position]
        strengths[hit] = np.maximum(strengths[hit], ACTIONS.index(rule.action))
    return strengths


def verdict(event_id: str, strength: int, control: ControlGroup) -> Verdict:
    """The final action; the control group lets a stopped event through by a draw that a retry repeats."""
    policy_action = ACTIONS[strength]
    if not policy_action.stops:
        return Verdict(policy_action, policy_action, 1.0)
    through = control.rate > 0 and _draw(event_id, control.key) < control.rate
    return Verdict(policy_action, Action.APPROVE if through else policy_action, control.rate)


def _draw(event_id: str, key: str) -> float:
    """A number in [0, 1) that only the holder of ``key`` can foresee."""
    secret = hashlib.sha256(key.encode()).digest()
    word = hashlib.blake2b(event_id.encode(), key=secret, digest_size=8).digest()
    return int.from_bytes(word, "big") / 2.0**64
