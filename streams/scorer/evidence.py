"""What was found about every event of a step."""

from __future__ import annotations

import msgspec

from streams.messages import Reason
from streams.models.engine import Vector
from streams.policies.actions import ACTION_NAMES, Strengths


class Evidence(msgspec.Struct, frozen=True):
    """Columns beside the accepted events; ``scores`` and ``margins`` are NaN where no model scored.

    Actions are positions in ``streams.policies.actions.ACTIONS``. ``queues``: the review queue of each event,
    None for the default one; empty where no rule of the policy names a queue. ``failures``: version -> what a
    champion (whose events then fell back) or a shadow raised on this batch.
    """

    policy_actions: Strengths
    actions: Strengths
    propensities: Vector
    rules: list[list[str]]
    scores: Vector
    margins: Vector
    models: list[str | None]
    engines: list[str | None]
    fallbacks: list[str | None]
    reasons: list[list[Reason]]
    shadows: list[dict[str, float]]
    decided_at: int
    policy_offset: int = -1
    queues: list[str | None] = []
    failures: dict[str, str] = {}


def action_names(strengths: Strengths) -> list[str]:
    """Actions as they stand in messages."""
    return [ACTION_NAMES[strength] for strength in strengths.tolist()]
