"""A small line chart as SVG, for pages that show no scripts: one line per name, one point per week."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 24, 36, 40
_COLOURS = ("#0b6e99", "#c2410c")
_FONT = "font-family='system-ui, sans-serif' font-size='12' fill='#555'"


def weeks_plot(title: str, weeks: Sequence[str], lines: Mapping[str, Sequence[float]], mark: int) -> str:
    """Values from 0 to 1 by week; a dashed line stands before the week at place ``mark``."""
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(weeks) - 1)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img'>",
        f"<title>{escape(title)}</title>",
        f"<rect width='{_WIDTH}' height='{_HEIGHT}' fill='white'/>",
        f"<text x='{_LEFT}' y='20' {_FONT} font-weight='bold'>{escape(title)}</text>",
    ]
    for tenth in range(0, 10, 2):
        y = _y(tenth / 10)
        parts.append(f"<path d='M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}' stroke='#ddd'/>")
        parts.append(
            f"<text x='{_LEFT - 8}' y='{y + 4:.1f}' text-anchor='end' {_FONT}>{tenth / 10:.1f}</text>"
        )
    for place, week in enumerate(weeks):
        x = _LEFT + place * step
        parts.append(
            f"<text x='{x:.1f}' y='{_HEIGHT - 16}' text-anchor='middle' {_FONT}>{escape(week)}</text>"
        )
    x = _LEFT + (mark - 0.5) * step
    parts.append(
        f"<path d='M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}' stroke='#999' stroke-dasharray='4 4'/>"
        f"<text x='{x + 6:.1f}' y='{_HEIGHT - _BOTTOM - 8}' {_FONT}>a new pattern of fraud</text>"
    )
    for (name, values), colour in zip(lines.items(), _COLOURS, strict=False):
        points = [(_LEFT + place * step, _y(value)) for place, value in enumerate(values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>")
        parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{colour}'/>" for x, y in points]
        x, y, font = points[0][0] + 6, _name_y(values, lines), _FONT.replace("#555", colour)
        parts.append(f"<text x='{x:.1f}' y='{y:.1f}' {font}>{escape(name)}</text>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _y(value: float) -> float:
    return _TOP + (1 - value) * (_HEIGHT - _TOP - _BOTTOM)


def _name_y(values: Sequence[float], lines: Mapping[str, Sequence[float]]) -> float:
    """Above the first point for the upper line, further down for the others."""
    place = [*lines.values()].index(values)
    return _y(values[0]) - 10 if place == 0 else _y(values[0]) + 22
