"""Alerts of every process, the newest first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from console.web.alert_lines import badge_of
from console.web.live import MOST_ALERTS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor


def routes(to: Routes) -> list[Route]:
    """The list."""
    return [to.page("/alerts", "alerts.html", shows)]


def shows(site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
    """The newest alerts, those of one ``kind`` or whose words hold ``words`` where that is asked for."""
    del visitor
    found = site.live.alerts()
    kind, words = request.query_params.get("kind", ""), request.query_params.get("words", "").strip().lower()
    alerts = found.value or []
    return {
        "why": found.why,
        "kinds": sorted(Counter(each.kind for each in alerts).items(), key=lambda item: (-item[1], item[0])),
        "kind": kind,
        "words": words,
        "most": MOST_ALERTS,
        "all": len(alerts),
        "alerts": [
            each for each in alerts if kind in {"", each.kind} and words in f"{each.kind} {each.text}".lower()
        ],
        "badge": badge_of,
    }
