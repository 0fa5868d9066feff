"""The overview: what the gate does now, how it did lately, and what somebody should look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.web.charts import Chart, Series, columns
from console.web.kept import Kept
from feature_store.units import to_text
from training.keeper.views.overview import decided, first_arrival, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.routing import Route

    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from training.keeper.desk import Desk

_MINUTE = 60_000_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


@dataclass(frozen=True)
class Span:
    """A stretch of time that charts may show, in steps; us."""

    title: str
    length: int
    step: int


SPANS = {
    "hour": Span("last hour", _HOUR, _MINUTE),
    "day": Span("last 24 hours", _DAY, _HOUR // 2),
    "week": Span("last 7 days", 7 * _DAY, 3 * _HOUR),
}
_MONEY = Span("last 14 days", 14 * _DAY, _DAY)


def routes(to: Routes) -> list[Route]:
    """The overview."""
    return [to.page("/", "overview.html", Overview().shows)]


class Overview:
    """Keeps what the store was asked for, a moment."""

    def __init__(self) -> None:
        self._decided: dict[str, Kept[list[dict[str, Any]]]] = {}
        self._money: Kept[list[dict[str, Any]]] | None = None

    def shows(self, site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
        """What the template is given."""
        del visitor
        desk = site.desk
        now = desk.parts.clock.now()
        span = self._span(desk, request.query_params.get("span", ""))
        keeper, alerts = site.live.keeper(), site.live.alerts()
        return {
            "now": now,
            "live": site.live.monitor(),
            "scorers": _scorers(site),
            "keeper": keeper,
            "release": None if keeper.value is None else keeper.value["release"],
            "policy": desk.policies.in_force().document,
            "next_run": desk.next_run(),
            "running": desk.trainings.running,
            "last_run": next(reversed(desk.runs.all()), None),
            "alerts": [each for each in alerts.value or () if (each.raised_at or each.sent_at) >= now - _DAY],
            "alerts_why": alerts.why,
            "span": span,
            "spans": SPANS,
            "decided": self._decisions(desk, span, now),
            "money": self._frauds(desk, now),
            "money_span": _MONEY,
            "costs": desk.parts.pipeline.decision.costs,
        }

    def _span(self, desk: Desk, asked: str) -> str:
        """The stretch that was asked for, or the shortest that has all there is."""
        if asked in SPANS:
            return asked
        now = desk.parts.clock.now()
        first = first_arrival(desk.parts, now - SPANS["day"].length)
        return "hour" if first is not None and first > now - SPANS["hour"].length else "day"

    def _decisions(self, desk: Desk, span: str, now: int) -> dict[str, Any]:
        if span not in self._decided:
            shown = SPANS[span]

            def ask() -> list[dict[str, Any]]:
                return decided(desk.parts, _began(desk.parts.clock.now(), shown), shown.step)

            self._decided[span] = Kept("decisions of the store", ask, for_s=4)
        found = self._decided[span]()
        if found.value is None:
            return {"why": found.why, "chart": None}
        return {"why": found.why, "chart": _decided_chart(found.value, SPANS[span], now)}

    def _frauds(self, desk: Desk, now: int) -> dict[str, Any]:
        if self._money is None:

            def ask() -> list[dict[str, Any]]:
                return money(desk.parts, _began(desk.parts.clock.now(), _MONEY), _MONEY.step)

            self._money = Kept("known frauds", ask, for_s=20)
        found = self._money()
        if found.value is None:
            return {"why": found.why, "total": None, "chart": None}
        kinds = ("stopped", "missed", "control", "frauds", "false_declines")
        total = {kind: sum(day[kind] for day in found.value) for kind in kinds}
        return {"why": found.why, "total": total, "chart": _money_chart(found.value, now)}


def _scorers(site: Site) -> dict[str, Any]:
    """How much waits for the scorers, and for which partitions."""
    found = site.live.scorers()
    lags = found.value or {}
    return {
        "why": found.why,
        "known": found.value is not None,
        "lag": sum(each.records for each in lags.values()),
        "worst": sorted(lags.items(), key=lambda item: -item[1].records)[:3],
    }


def _began(now: int, span: Span) -> int:
    """The first step of the stretch that ends now."""
    return max(0, now - now % span.step - span.length + span.step)


def _decided_chart(found: Sequence[dict[str, Any]], span: Span, now: int) -> Markup:
    steps, by = _steps(found, span, now)
    names = {"approve": "soft", "review": "warn", "decline": "bad"}
    series = [
        Series(action, [by.get(step, {}).get(action, 0) for step in steps], style)
        for action, style in names.items()
    ]
    return columns(Chart(f"Decisions, {span.title}", [_label(step, span) for step in steps], series))


def _money_chart(found: Sequence[dict[str, Any]], now: int) -> Markup:
    steps, by = _steps(found, _MONEY, now)
    names = {"stopped": "good", "missed": "bad", "control": "warn"}
    series = [
        Series(kind, [by.get(step, {}).get(kind, 0.0) for step in steps], style)
        for kind, style in names.items()
    ]
    return columns(Chart(f"Known fraud, {_MONEY.title}", [_label(step, _MONEY) for step in steps], series))


def _steps(
    found: Sequence[dict[str, Any]], span: Span, now: int
) -> tuple[list[int], dict[int, dict[str, Any]]]:
    first = _began(now, span)
    return list(range(first, now + 1, span.step)), {row["began"]: row for row in found}


def _label(at: int, span: Span) -> str:
    text = to_text(at)
    return (
        text[:10]
        if span.step >= _DAY
        else f"{text[5:10]} {text[11:16]}"
        if span.length > _DAY
        else text[11:16]
    )
