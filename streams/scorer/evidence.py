"""What was found about every event of a step, and the decision messages made of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.declaration.event import FieldType, Kind
from feature_store.units import to_text
from streams.messages import Decision, Reason, Source
from streams.models.engine import Vector
from streams.policies.actions import ACTION_NAMES, Strengths
from streams.scorer.records import Decided

if TYPE_CHECKING:
    from feature_store.columns import Columns
    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.intake import Accepted

_encode = msgspec.json.Encoder().encode


class Evidence(msgspec.Struct, frozen=True):
    """Columns beside the accepted events; ``scores`` and ``margins`` are NaN where no model scored.

    Actions are positions in ``streams.policies.actions.ACTIONS``. ``queues``: the review queue of each event,
    None for the default one; empty where no rule of the policy names a queue.
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


def decisions(
    pipeline: Pipeline, epoch: int, accepted: Accepted, columns: Columns, evidence: Evidence
) -> list[Decided]:
    """One decision message per accepted event, in order."""
    topic = pipeline.topics.events
    names = pipeline.event.passthrough
    passed = [_plain(pipeline.event.fields[name].type, columns[name]) for name in names]
    times = columns[pipeline.event.time]
    scores = [None if math.isnan(score) else score for score in evidence.scores.tolist()]
    decided_at = to_text(evidence.decided_at)
    found = []
    policy_actions, actions = action_names(evidence.policy_actions), action_names(evidence.actions)
    propensities = evidence.propensities.tolist()
    for i, (record, event_id) in enumerate(zip(accepted.records, accepted.ids, strict=True)):
        message = Decision(
            event_id=event_id,
            event_time=to_text(times[i]),
            decided_at=decided_at,
            event={name: values[i] for name, values in zip(names, passed, strict=True)},
            action=actions[i],
            policy_action=policy_actions[i],
            propensity=propensities[i],
            score=scores[i],
            model=evidence.models[i],
            reasons=evidence.reasons[i],
            rules=evidence.rules[i],
            fallback=evidence.fallbacks[i],
            shadow=evidence.shadows[i],
            release=epoch,
            source=Source(topic, record.partition, record.offset),
            late=accepted.late[i],
        )
        found.append(Decided(record, event_id, evidence.models[i], _encode(message)))
    return found


def action_names(strengths: Strengths) -> list[str]:
    """Actions as they stand in messages."""
    return [ACTION_NAMES[strength] for strength in strengths.tolist()]


def _plain(kind: FieldType, values: list[Any]) -> list[Any]:
    """A column as it is written in a message."""
    if kind.kind is Kind.TIMESTAMP:
        return [None if value is None else to_text(value) for value in values]
    if kind.kind is Kind.DECIMAL and kind.scale:
        return [None if value is None else _decimal(value, kind.scale) for value in values]
    return values


def _decimal(minor: int, scale: int) -> msgspec.Raw:
    sign, whole = ("-", -minor) if minor < 0 else ("", minor)
    digits = str(whole).zfill(scale + 1)
    return msgspec.Raw(f"{sign}{digits[:-scale]}.{digits[-scale:]}".encode())
