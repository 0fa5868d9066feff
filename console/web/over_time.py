"""Decisions and money over time, as charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.web.charts import Chart, Series, columns
from feature_store.units import to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

Row = dict[str, Any]
"""What happened in one step, by name; ``began`` says which (us since 1970)."""

_MINUTE = 60_000_000
_HOUR = 60 * _MINUTE
DAY = 24 * _HOUR
"""In microseconds."""


@dataclass(frozen=True)
class Span:
    """A stretch of time that ends now, in steps; us."""

    title: str
    length: int
    step: int


SPANS = {
    "hour": Span("last hour", _HOUR, _MINUTE),
    "day": Span("last 24 hours", DAY, _HOUR // 2),
    "week": Span("last 7 days", 7 * DAY, 3 * _HOUR),
}
MONEY = Span("last 14 days", 14 * DAY, DAY)
"""Frauds become known days later."""

_KINDS = ("stopped", "missed", "control", "frauds", "false_declines")


def began(now: int, span: Span) -> int:
    """When the first step of the stretch that ends now began."""
    return max(0, now - now % span.step - span.length + span.step)


def decisions_charts(found: Sequence[Row], span: Span, now: int) -> list[Markup]:
    """All decisions, and again those that stopped something, which the others would hide."""
    stops = {"review": "warn", "decline": "bad"}
    return [
        _chart(f"Decisions, {span.title}", {"approve": "soft"} | stops, found, span, now),
        _chart(f"Stopped, {span.title}", stops, found, span, now),
    ]


def money_chart(found: Sequence[Row], now: int) -> Markup:
    """What frauds cost or would have, by the day they came."""
    kinds = {"stopped": "good", "missed": "bad", "control": "warn"}
    return _chart(f"Known fraud, {MONEY.title}", kinds, found, MONEY, now)


def total_of(found: Sequence[Row]) -> dict[str, float]:
    """The same over the whole stretch."""
    return {kind: sum(row[kind] for row in found) for kind in _KINDS}


def _chart(title: str, kinds: dict[str, str], found: Sequence[Row], span: Span, now: int) -> Markup:
    steps = list(range(began(now, span), now + 1, span.step))
    by = {row["began"]: row for row in found}
    series = [
        Series(kind, [by[step][kind] if step in by else 0 for step in steps], style)
        for kind, style in kinds.items()
    ]
    return columns(Chart(title, [_label(step, span) for step in steps], series))


def _label(at: int, span: Span) -> str:
    text = to_text(at)
    if span.step >= DAY:
        return text[5:10]
    return text[11:16] if span.length <= DAY else f"{text[5:10]} {text[11:16]}"
