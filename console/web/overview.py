"""The overview: what the gate does now, how it did lately, and what somebody should look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.web.alert_lines import badge_of
from console.web.kept import Kept
from console.web.over_time import DAY, MONEY, SPANS, Row, began, decisions_charts, money_chart, total_of
from console.web.watch_lines import watch_lines
from training.keeper.views.overview import decided, first_arrival, last_run, money

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor

_ALERTS_SHOWN = 5
_MANY_EVENTS = 10_000
"""More than that waiting for scorers is worth a colour; what waits for the store harms no decision."""


def routes(to: Routes) -> list[Route]:
    """The overview."""
    return [to.page("/", "overview.html", _Overview(to.site).shows)]


class _Overview:
    """Keeps what the store was asked for, a moment."""

    def __init__(self, site: Site) -> None:
        self._desk = site.desk
        parts = site.desk.parts

        def decided_in(span: str) -> Kept[list[Row]]:
            shown = SPANS[span]

            def ask() -> list[Row]:
                return decided(parts, began(parts.clock.now(), shown), shown.step)

            return Kept("decisions of the store", ask, for_s=5)

        def known_frauds() -> list[Row]:
            return money(parts, began(parts.clock.now(), MONEY), MONEY.step)

        self._decided = {span: decided_in(span) for span in SPANS}
        self._money: Kept[list[Row]] = Kept("known frauds", known_frauds, for_s=60)

    def shows(self, site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
        """What the template is given."""
        del visitor
        desk, live = self._desk, site.live
        now = desk.parts.clock.now()
        span = self._span(request.query_params.get("span", ""), now)
        for kept in (live.keeper, live.monitor, live.scorers, live.alerts, self._decided[span], self._money):
            kept.begin()  # all at once: the page waits no longer than for the slowest
        keeper, monitor = live.keeper(), live.monitor()
        decided_lately, frauds = self._decided[span](), self._money()
        return {
            "now": now,
            "clock": desk.parts.pipeline.clock,
            "live": monitor,
            "watched": [] if monitor.value is None else watch_lines(monitor.value),
            "scorers": _scorers(site),
            "keeper": keeper,
            "release": None if keeper.value is None else keeper.value["release"],
            "policy": desk.policies.in_force().document,
            "next_run": desk.next_run(),
            "running": desk.trainings.running,
            "last_run": last_run(desk.parts),
            "alerts": _alerts(site, now),
            "badge": badge_of,
            "span": span,
            "spans": SPANS,
            "decided_why": decided_lately.why,
            "charts": decisions_charts(decided_lately.value or [], SPANS[span], now),
            "money_why": frauds.why,
            "money": total_of(frauds.value or []),
            "money_chart": money_chart(frauds.value or [], now),
            "money_span": MONEY,
            "many_events": _MANY_EVENTS,
        }

    def _span(self, asked: str, now: int) -> str:
        """The stretch that was asked for; else the shortest that has all there is of a day."""
        if asked in SPANS:
            return asked
        first = first_arrival(self._desk.parts, max(0, now - DAY))
        return "hour" if first is not None and first > now - SPANS["hour"].length else "day"


def _scorers(site: Site) -> dict[str, Any]:
    """How much waits for the scorers, and on which partition most."""
    found = site.live.scorers()
    lags = found.value or {}
    worst = max(lags.items(), key=lambda item: item[1].records, default=None)
    return {
        "why": found.why,
        "known": found.value is not None,
        "lag": sum(each.records for each in lags.values()),
        "worst": worst,
    }


def _alerts(site: Site, now: int) -> dict[str, Any]:
    """The newest of the last day, by the pipeline's clock."""
    found = site.live.alerts()
    lately = [each for each in found.value or () if (each.raised_at or each.sent_at) >= now - DAY]
    return {"why": found.why, "count": len(lately), "newest": lately[:_ALERTS_SHOWN]}
