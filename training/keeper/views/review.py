"""The review queue: what waits, by the money that is at stake; and how much of the day's work is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from feature_store.duck import quoted
from training.keeper.queries import sql
from training.keeper.review_demand import DAY, calendar_day
from training.keeper.store import asked, rows
from training.keeper.views.decisions import text_condition
from training.keeper.views.listed import Listed, columns, listed, sent_decisions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from streams.messages import Decision

HORIZON = 30 * DAY
"""What has waited for longer is found among the decisions."""
UNSCORED = 0.5
"""Taken for the score of an event that has none: nobody knows, so it is as likely as not."""
_MOST = 2_000
"""So many are looked at for their queue."""


@dataclass(frozen=True)
class Asked:
    """What is looked for. ``queue`` "": the default one; None: any. ``without``: events that are done."""

    queue: str | None = None
    queue_rules: frozenset[str] = frozenset()
    declined: bool = False
    text: str | None = None
    text_fields: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    most: int = 25


@dataclass(frozen=True)
class Item:
    """One that waits; ``sent`` is the decision as it was sent, None where that is not stored yet."""

    of: Listed
    sent: Decision | None
    queue: str = ""


@dataclass(frozen=True)
class Queue:
    """The first of those that wait; ``waiting`` is how many there are, ``at_stake`` how much money, in all.

    ``by_queue``: queue -> how many of the first 2,000, "" the default one; empty where no rule names one.
    """

    items: list[Item]
    waiting: int
    at_stake: float
    by_queue: dict[str, int]


@dataclass(frozen=True)
class Done:
    """The work of the day: events that the source spoke about, those that are fraud, and the capacity."""

    done: int
    frauds: int
    capacity: int | None


class Said(msgspec.Struct, frozen=True):
    """One verdict of the trail; instants are us since 1970."""

    changed_at: int
    who: str
    event_id: str
    label: str


def waiting_reviews(store: Connection, pipeline: Pipeline, want: Asked, now: int) -> Queue:
    """What waits at ``now`` (us), the most at stake first; of equal stakes the higher margin."""
    found = _waiting(store, pipeline, want, now)
    lines = [listed(row) for row in found]
    queues = _queues(store, lines, want.queue_rules)
    counts: dict[str, int] = {}
    for each in lines if want.queue_rules else ():
        queue = queues.get(each.place, "")
        counts[queue] = counts.get(queue, 0) + 1
    if want.queue and len(lines) == _MOST:  # its own may lie behind them
        lines = [listed(row) for row in _waiting(store, pipeline, want, now, want.queue_rules)]
        queues = _queues(store, lines, want.queue_rules)
    wanted = [each for each in lines if want.queue is None or queues.get(each.place, "") == want.queue]
    return Queue(
        _items(store, wanted[: want.most]),
        int(found[0]["waiting"]) if found else 0,
        float(found[0]["at_stake"]) if found else 0.0,
        counts,
    )


def review_item(store: Connection, pipeline: Pipeline, event_id: str) -> Item | None:
    """One event as an item of the queue, whatever was said about it; of several of the id the newest."""
    query = sql("review_item").format(columns=columns(pipeline), stake=stake(pipeline))
    lines = [listed(row) for row in asked(store, query, {"event_id": event_id})]
    return next(iter(_items(store, lines)), None)


def done_today(store: Connection, pipeline: Pipeline, source: str, now: int) -> Done:
    """Verdicts of the calendar day, in the time zone of the schedule."""
    day = calendar_day(now, ZoneInfo(pipeline.training.time_zone))[0]
    found = rows(store, "review_done", {"source": source, "day": day})[0]
    return Done(int(str(found["done"])), int(str(found["frauds"])), pipeline.decision.review_capacity)


def recent_verdicts(store: Connection, most: int = 10) -> list[Said]:
    """What people said here, the newest first."""
    found: list[dict[str, Any]] = list(rows(store, "review_verdicts", {"most": most}))
    return [
        Said(row["changed_at"], row["who"], row["event_id"], msgspec.json.decode(row["after"])["label"])
        for row in found
    ]


def _waiting(
    store: Connection, pipeline: Pipeline, want: Asked, now: int, rules: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """The first of those that wait, of all queues; only those that one of ``rules`` had its say about."""
    parameters: dict[str, object] = {"since": max(0, now - HORIZON), "most": _MOST}
    conditions = []
    if want.without:
        parameters["without"] = sorted(want.without)
        conditions.append("AND NOT list_contains($without, CAST(scored.event_id AS VARCHAR))")
    if want.text:
        conditions.append(f"AND {text_condition(want.text, want.text_fields, parameters)}")
    if rules:
        parameters["rules"] = sorted(rules)
        conditions.append("AND list_has_any(scored.rules, $rules)")
    query = sql("review_waiting").format(
        columns=columns(pipeline),
        stake=stake(pipeline),
        stopped="action <> 'approve'" if want.declined else "action = 'review'",
        conditions=" ".join(conditions),
    )
    return asked(store, query, parameters)


def stake(pipeline: Pipeline) -> str:
    """SQL: what the event costs if it is fraud and missed, times the probability that it is."""
    costs = pipeline.decision.costs
    missed = f"{costs.missed_fraud!r}"
    if costs.amount is not None:
        amount = f"coalesce(nullif(CAST({quoted(costs.amount)} AS DOUBLE), 'nan'::DOUBLE), 0.0)"
        missed = f"({amount} * {costs.missed_fraud_share!r} + {missed})"
    return f"coalesce(score, {UNSCORED!r}) * {missed}"


def _items(store: Connection, lines: Sequence[Listed]) -> list[Item]:
    sent = sent_decisions(store, [each.place for each in lines])
    return [Item(each, sent.get(each.place), _queue_of(sent.get(each.place))) for each in lines]


def _queues(
    store: Connection, lines: Sequence[Listed], rules: frozenset[str]
) -> Mapping[tuple[int, int], str]:
    """Where those stand that a rule may have sent somewhere."""
    ruled = [each.place for each in lines if not rules.isdisjoint(each.rules)] if rules else []
    return {place: _queue_of(sent) for place, sent in sent_decisions(store, ruled).items()}


def _queue_of(sent: Decision | None) -> str:
    return "" if sent is None or not isinstance(sent.queue, str) else sent.queue
