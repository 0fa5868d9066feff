"""What the overview shows of the store: decisions over time, and the money that frauds cost or would have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.duck import quoted
from training.dataset.labels import TRUTHS
from training.keeper.queries import sql
from training.keeper.store import asked, rows

if TYPE_CHECKING:
    from feature_store.declaration.decision import Costs
    from training.keeper.parts import Parts


def decided(parts: Parts, since: int, step: int) -> list[dict[str, Any]]:
    """Decisions since ``since``, by action, per stretch of ``step`` (us); empty ones are left out."""
    with parts.store.cursor() as cursor:
        return rows(cursor, "overview_decided", {"since": since, "step": step})


def first_arrival(parts: Parts, since: int) -> int | None:
    """When the first event after ``since`` arrived (us)."""
    with parts.store.cursor() as cursor:
        found = rows(cursor, "overview_first", {"since": since})[0]["first"]
    return found if isinstance(found, int) else None


def last_run(parts: Parts) -> dict[str, Any] | None:
    """``run_id``, ``state`` and ``detail`` of the newest training that is over."""
    with parts.store.cursor() as cursor:
        return next(iter(rows(cursor, "overview_last_run")), None)


def money(parts: Parts, since: int, step: int) -> list[dict[str, Any]]:
    """What the frauds known by now cost per stretch of ``step`` (us), in the amount's unit.

    ``stopped``: would have cost; ``missed``: did; ``control``: did, let through so that we learn.
    """
    outcomes = parts.pipeline.outcomes
    query = sql("overview_money").format(truths=TRUTHS, cost=_cost(parts.pipeline.decision.costs))
    given = {
        "since": since,
        "now": parts.clock.now(),
        "step": step,
        "precedence": list(outcomes.sources),
    }
    with parts.store.cursor() as cursor:
        return asked(cursor, query, given)


def _cost(costs: Costs) -> str:
    """SQL of what a missed fraud costs, as the policy reckons it."""
    amount = f"coalesce(scored.{quoted(costs.amount)}::DOUBLE, 0)" if costs.amount else "0"
    return f"({amount} * {costs.missed_fraud_share!r} + {costs.missed_fraud!r})"
