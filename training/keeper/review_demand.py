"""What the store tells about reviews: how many were asked for lately, and how many of today's wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from msgspec.structs import replace

from feature_store.duck import quoted
from feature_store.units import to_datetime, to_micros
from streams.models.calibration import margins_of
from streams.policies import compile_policy
from streams.policies.actions import REVIEW
from training.keeper.queries import sql
from training.keeper.store import rows
from training.policy.capacity import Demand, Today

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from streams.messages import Manifest, PolicyDocument
    from training.policy.capacity import Vector

DAY = 86_400_000_000

_LEAST_SPAN = DAY // 24
"""Events of less than an hour are taken for those of an hour: minutes say little about a day."""


@dataclass(frozen=True)
class Scoring:
    """By what events are decided."""

    document: PolicyDocument
    champion: Manifest


def review_demand(store: Connection, pipeline: Pipeline, by: Scoring, now: int) -> Demand:
    """What events of the last 24 hours before ``now`` (us) would ask for under ``by``, without a limit."""
    since = now - DAY
    names = _Names(by.document)
    span = rows(store, "recent_span", {"since": since, "asking": names.asking})[0]
    margins = [*_asking_margins(store, pipeline, by, {"since": since, "settling": names.settling})]
    through = 1.0 - pipeline.outcomes.control_group.rate
    return Demand(
        margins=np.sort(np.concatenate([np.empty(0), *margins]))[::-1],
        weight=through * _per_day(span["first_score"], now),
        ruled=float(str(span["ruled"])) * through * _per_day(span["first_event"], now),
    )


def today(store: Connection, pipeline: Pipeline, capacity: float, now: int) -> Today:
    """Today's queue and what is left of the day, in the time zone of the schedule."""
    begin, end = calendar_day(now, ZoneInfo(pipeline.training.time_zone))
    waiting = rows(store, "waiting_reviews", {"day": begin})[0]["waiting"]
    return Today(capacity, float(str(waiting)), (end - now) / (end - begin))


class _Names:
    """What stands in ``rules`` of a decision that more than the score decided."""

    def __init__(self, document: PolicyDocument) -> None:
        watched = [f"list:{each.name}" for each in document.lists if each.kind == "watch"]
        listed = [f"list:{each.name}" for each in document.lists if each.kind != "watch"]
        snoozed = [f"snooze:{field}" for field in {each.field for each in document.snoozes}]
        self.asking = [*watched, *(rule.name for rule in document.rules if rule.action == "review")]
        declining = [rule.name for rule in document.rules if rule.action == "decline"]
        self.settling = [*self.asking, *listed, *snoozed, *declining]


def _asking_margins(
    store: Connection, pipeline: Pipeline, by: Scoring, parameters: dict[str, object]
) -> Iterator[Vector]:
    """Margins, as the champion would give them, for which the score alone asks for a review; in any order."""
    alone = replace(by.document, rules=[], lists=[], snoozes=[], review_margin=None)
    policy, costs = compile_policy(pipeline, alone), pipeline.decision.costs
    amount = f"CAST({quoted(costs.amount)} AS DOUBLE)" if costs.amount else "0.0"
    query = sql("recent_scores").format(amount=amount)
    found = store.sql(query, params=parameters | {"model": by.champion.version})
    reader = found.to_arrow_reader()
    for batch in reader or ():
        scores, margins = _numbers(batch, "score"), _numbers(batch, "margin")
        others = np.asarray(batch["of_another"].to_numpy(zero_copy_only=False), np.bool_)
        margins = np.where(others, margins_of(scores, by.champion.calibration), margins)
        asked = policy.by_score(scores, margins, _numbers(batch, "amount"), costs) == REVIEW
        yield margins[asked]


def _numbers(batch: pa.RecordBatch, name: str) -> Vector:
    return np.asarray(batch[name].to_numpy(zero_copy_only=False), np.float64)


def _per_day(first: object, now: int) -> float:
    """How many events a day one of them stands for, where the first came at ``first`` (us)."""
    span = now - first if isinstance(first, int) else 0
    return DAY / min(DAY, max(_LEAST_SPAN, span))


def calendar_day(now: int, zone: ZoneInfo) -> tuple[int, int]:
    """The calendar day around ``now`` in ``zone``: first instant, and first of the next (us)."""
    date = to_datetime(now).astimezone(zone).date()
    dates = date, date + timedelta(days=1)
    begin, end = (to_micros(datetime.combine(each, datetime.min.time(), zone)) for each in dates)
    return begin, end
