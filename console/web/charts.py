"""Small charts, drawn on the server as SVG; colours are the style sheet's, so they follow light and dark.

A chart stretches to the width that there is: its words stand around it in HTML, as SVG's would be squeezed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT = 1000.0, 100.0
_GAP = 0.18
"""Of a column's width, between it and the next."""


@dataclass(frozen=True)
class Series:
    """Numbers of one kind; ``style`` is a class of the style sheet: good, warn, bad, plain or soft."""

    name: str
    values: Sequence[float]
    style: str = "plain"


@dataclass(frozen=True)
class Chart:
    """What to draw; ``labels`` name the columns, ``title`` says what is shown to those who cannot see it."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    unit: str = ""
    digits: int = 0

    @property
    def top(self) -> float:
        """The highest column, series upon each other."""
        return max(
            (sum(column) for column in zip(*(each.values for each in self.series), strict=True)), default=0
        )


def columns(chart: Chart) -> Markup:
    """Columns with the series upon each other."""
    count, top = max(1, len(chart.labels)), chart.top or 1.0
    step = _WIDTH / count
    drawn: list[Markup] = []
    for at, label in enumerate(chart.labels):
        floor = _HEIGHT
        parts = []
        for each in chart.series:
            height = _HEIGHT * each.values[at] / top
            floor -= height
            parts.append(_bar(each.style, at * step + step * _GAP / 2, floor, step * (1 - _GAP), height))
        said = [f"{_number(each.values[at], chart)} {each.name}" for each in chart.series]
        hover = Markup("<title>{}: {}</title>").format(label, ", ".join(said))
        whole = _bar("hover", at * step, 0, step, _HEIGHT)
        drawn.append(Markup("<g>{}{}{}</g>").format(hover, whole, Markup().join(parts)))
    return _figure(chart, Markup().join(drawn))


def beside(chart: Chart) -> Markup:
    """Columns with the series beside each other."""
    count = max(1, len(chart.labels))
    top = max((value for each in chart.series for value in each.values), default=0.0)
    step = _WIDTH / count
    width = step * (1 - _GAP) / max(1, len(chart.series))
    drawn: list[Markup] = []
    for at, label in enumerate(chart.labels):
        said = [f"{each.name} {_number(each.values[at], chart)}" for each in chart.series]
        parts = [Markup("<title>{}: {}</title>").format(label, ", ".join(said))]
        parts.append(_bar("hover", at * step, 0, step, _HEIGHT))
        for place, each in enumerate(chart.series):
            height = _HEIGHT * each.values[at] / (top or 1.0)
            left = at * step + step * _GAP / 2 + place * width
            parts.append(_bar(each.style, left, _HEIGHT - height, width, height))
        drawn.append(Markup("<g>{}</g>").format(Markup().join(parts)))
    return _figure(chart, Markup().join(drawn), top)


def meter(share: float, style: str = "plain") -> Markup:
    """A bar that is full at 1."""
    width = 100 * min(1.0, max(0.0, share))
    return Markup(
        '<svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="hover" width="100" height="8" rx="2"/>'
        '<rect class="fill {}" width="{:.2f}" height="8" rx="2"/></svg>'
    ).format(style, width)


def _figure(chart: Chart, drawn: Markup, top: float | None = None) -> Markup:
    names = Markup().join(
        Markup('<span class="key"><i class="{}"></i>{}</span>').format(each.style, each.name)
        for each in chart.series
    )
    highest = _number(chart.top if top is None else top, chart)
    ends = [*chart.labels[:1], *chart.labels[1:][-1:]]
    axis = Markup().join(Markup("<span>{}</span>").format(label) for label in ends)
    return Markup(
        '<figure class="chart"><figcaption><b>{}</b> {}<span class="soft top-of">most {}</span></figcaption>'
        '<svg viewBox="0 0 {:.0f} {:.0f}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
        '<div class="axis">{}</div>{}</figure>'
    ).format(chart.title, names, highest, _WIDTH, _HEIGHT, chart.title, drawn, axis, _numbers(chart))


def _numbers(chart: Chart) -> Markup:
    """The same as a table, for whoever wants the numbers."""
    head = Markup().join(
        Markup('<th scope="col" class="number">{}</th>').format(s.name) for s in chart.series
    )
    body = Markup().join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            label,
            Markup().join(
                Markup('<td class="number">{}</td>').format(_number(each.values[at], chart))
                for each in chart.series
            ),
        )
        for at, label in enumerate(chart.labels)
    )
    return Markup(
        '<details class="numbers" id="{}"><summary>Numbers</summary><div class="wide"><table><thead><tr>'
        "<td></td>{}</tr></thead><tbody>{}</tbody></table></div></details>"
    ).format(_name(chart), head, body)


def _name(chart: Chart) -> str:
    """What tells the chart from others on its page."""
    return "numbers-" + "".join(each if each.isalnum() else "-" for each in chart.title.lower())


def _bar(style: str, left: float, top: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{:.1f}" y="{:.2f}" width="{:.1f}" height="{:.2f}"/>').format(
        style if style == "hover" else f"fill {style}", left, top, width, height
    )


def _number(value: float, chart: Chart) -> str:
    return f"{value:,.{chart.digits}f}{chart.unit}"
