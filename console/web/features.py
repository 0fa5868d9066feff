"""Features: what each means, what models make of it, and how it is now against when they were fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.web.charts import meter
from console.web.feature_charts import now, then_and_now
from console.web.kept import Kept
from console.web.masking import personal, sees_personal
from feature_store.declaration.words import explained
from training.keeper.views.features import SCORE, Importances, histogram, recent

if TYPE_CHECKING:
    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.routing import Route

    from console.web.monitor_figures import Spread
    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from feature_store.declaration.words import Explained
    from training.keeper.views.features import ModelUse, Recent, Values

BADGES = {"drift": "bad", "missing": "bad", "between": "warn", "stable": "good"}
"""State -> class of the style sheet."""
_STATES = {
    "drift": "drifted",
    "missing": "missing share moved",
    "between": "moves",
    "stable": "stable",
    "ignored": "may move",
    "too_little": "too few events",
}
_SORTED = {"importance": "importance", "drift": "drift", "declared": "as declared"}


def routes(to: Routes) -> list[Route]:
    """The list, and one feature."""
    pages = _Pages(to.site)
    return [
        to.page("/features", "features.html", pages.all),
        to.page("/features/{name}", "feature.html", pages.one),
    ]


@dataclass(frozen=True)
class Line:
    """One feature in the list; what is None is not known."""

    feature: Explained
    importance: float | None
    values: Values | None
    drift: Spread | None
    hidden: bool

    @property
    def psi(self) -> float | None:
        """How far it is from the reference."""
        return None if self.drift is None else self.drift.psi


class _Pages:
    def __init__(self, site: Site) -> None:
        parts = site.desk.parts
        self._parts = parts
        self._declared = explained(parts.pipeline)
        self._personal = personal(parts.pipeline)
        names = [each.name for each in self._declared]
        self._recent: Kept[Recent] = Kept("features of the store", lambda: recent(parts, names), for_s=10)
        self._uses: Kept[list[ModelUse]] = Kept(
            "what models gain by features", Importances(parts), for_s=10, patience_s=4
        )

    def all(self, site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
        """Every feature whose name or words hold ``words``, by importance, drift or as declared."""
        words = request.query_params.get("words", "").strip().lower()
        by = request.query_params.get("by", "")
        lately, uses, monitor = self._recent(), self._uses(), site.live.monitor()
        drift = None if monitor.value is None else monitor.value.drift
        acting = next((use for use in uses.value or () if use.role == "champion"), None)
        lines = [
            self._line(each, lately.value, acting, None if drift is None else drift.of(each.name), visitor)
            for each in self._declared
            if words in f"{each.name} {each.words}".lower()
        ]
        by = by if by in _SORTED else "importance" if acting else "declared"
        return {
            "why": [each.why for each in (lately, uses) if each.why],
            "monitor": monitor,
            "drift": drift,
            "recent": lately.value,
            "lines": _ordered(lines, by),
            "all": len(self._declared),
            "words": words,
            "by": by,
            "sorted": _SORTED,
            "champion": acting,
            "top": max((line.importance or 0.0 for line in lines), default=0.0) or 1.0,
            "meter": meter,
            "states": _STATES,
            "badges": BADGES,
        }

    def one(self, site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
        """One feature, or the score. Raises LookupError for what is neither."""
        name = request.path_params["name"]
        feature = next((each for each in self._declared if each.name == name), None)
        if feature is None and name != SCORE:
            raise LookupError(f"there is no feature {name!r}")
        monitor, uses, lately = site.live.monitor(), self._uses(), self._recent()
        told = None if monitor.value is None else monitor.value.drift
        spread = None if told is None else told.score if name == SCORE else told.of(name)
        hidden = name in self._personal and not sees_personal(visitor)
        return {
            "name": name,
            "feature": feature,
            "hidden": hidden,
            "told": told,
            "drift": spread,
            "monitor": monitor,
            "chart": None if hidden else self._chart(name, spread),
            "uses": [use for use in uses.value or () if name in use.gains],
            "uses_why": uses.why,
            "recent": lately.value,
            "values": None if hidden or lately.value is None else lately.value.features.get(name),
            "states": _STATES,
            "badges": BADGES,
        }

    def _line(
        self,
        feature: Explained,
        lately: Recent | None,
        acting: ModelUse | None,
        drift: Spread | None,
        visitor: Visitor,
    ) -> Line:
        hidden = feature.name in self._personal and not sees_personal(visitor)
        values = None if lately is None or hidden or not lately.events else lately.features[feature.name]
        importance = None if acting is None else acting.gains.get(feature.name)
        return Line(feature, importance, values, drift, hidden)

    def _chart(self, name: str, drift: Spread | None) -> Markup | None:
        if drift is not None and drift.shares:
            return then_and_now(name, drift)
        return now(name, histogram(self._parts, name))


def _ordered(lines: list[Line], by: str) -> list[Line]:
    if by == "importance":
        return sorted(lines, key=lambda line: -(line.importance or 0.0))
    if by == "drift":
        return sorted(lines, key=lambda line: (_urgency(line), -(line.psi or 0.0)))
    return lines


def _urgency(line: Line) -> int:
    """The place of a feature's state among all: 0 for what moved, last what may move or is not known."""
    order = list(BADGES)
    return order.index(line.drift.state) if line.drift and line.drift.state in order else len(order)
