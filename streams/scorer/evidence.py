"""What was found about every event of a step, and the decision messages made of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.declaration.event import FieldType, Kind
from feature_store.units import to_text
from streams.messages import Decision, Source
from streams.models.engine import Vector
from streams.policy import Verdict
from streams.scorer.records import Decided

if TYPE_CHECKING:
    from feature_store.columns import Columns
    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.intake import Accepted

_encode = msgspec.json.Encoder().encode


class Evidence(msgspec.Struct, frozen=True):
    """Columns beside the accepted events; ``scores`` and ``margins`` are NaN where no model scored."""

    verdicts: list[Verdict]
    rules: list[list[str]]
    scores: Vector
    margins: Vector
    models: list[str | None]
    engines: list[str | None]
    fallbacks: list[str | None]
    decided_at: int


def decisions(
    pipeline: Pipeline, epoch: int, accepted: Accepted, columns: Columns, evidence: Evidence
) -> list[Decided]:
    """One decision message per accepted event, in order."""
    topic = pipeline.topics.events
    passed = [(name, pipeline.event.fields[name].type, columns[name]) for name in pipeline.event.passthrough]
    times = columns[pipeline.event.time]
    scores = [None if math.isnan(score) else score for score in evidence.scores.tolist()]
    decided_at = to_text(evidence.decided_at)
    found = []
    for i, (record, event_id, ruling) in enumerate(
        zip(accepted.records, accepted.ids, evidence.verdicts, strict=True)
    ):
        message = Decision(
            event_id=event_id,
            event_time=to_text(times[i]),
            decided_at=decided_at,
            event={name: _plain(kind, values[i]) for name, kind, values in passed},
            action=ruling.action.value,
            policy_action=ruling.policy_action.value,
            propensity=ruling.propensity,
            score=scores[i],
            model=evidence.models[i],
            reasons=[],
            rules=evidence.rules[i],
            fallback=evidence.fallbacks[i],
            shadow={},
            release=epoch,
            source=Source(topic, record.partition, record.offset),
            late=accepted.late[i],
        )
        found.append(Decided(record, event_id, evidence.models[i], _encode(message)))
    return found


def _plain(kind: FieldType, value: Any) -> Any:
    if value is None:
        return None
    if kind.kind is Kind.TIMESTAMP:
        return to_text(value)
    if kind.kind is Kind.DECIMAL and kind.scale:
        sign, whole = ("-", -value) if value < 0 else ("", value)
        digits = str(whole).zfill(kind.scale + 1)
        return msgspec.Raw(f"{sign}{digits[: -kind.scale]}.{digits[-kind.scale :]}".encode())
    return value
