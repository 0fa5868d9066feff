"""The one door to Matplotlib: small plots as SVG that takes its colours and its font from the page.

Colours are placeholders here, and variables of the page's style sheet in what is returned: one drawing serves
light and dark.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

INK, MUTED, GRID, OURS, THEIRS, THIRD = (f"#01020{number}" for number in range(3, 9))
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", OURS: "ours", THEIRS: "theirs", THIRD: "third"}
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
}
_POINTS = 300
_INCHES = (5.2, 3.3)
_BAR_INCHES = 0.24
_LEFT, _BOTTOM, _MARGIN = 0.8, 0.5, 0.12
"""Room around a plot, in inches; the margin is on its top and right."""
_BESIDE_BARS, _CHARACTER = 0.12, 0.068
_MOST_LEFT = 0.6
_DROPPED = re.compile(r"<\?xml.*?<svg", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_FONT = re.compile(r"font: ([\d.]+)px [^;\"]+")
_SHARED_STYLE = re.compile(r"\s*<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_SIZE = re.compile(r' width="[\d.]+pt" height="[\d.]+pt"')
_IDS = re.compile(r' id="((?!p[0-9a-f]{10}|m[0-9a-f]{10})[^"]*)"')


@dataclass(frozen=True)
class Line:
    """One line of a plot; ``dashed`` for what is only a reference."""

    x: Floats
    y: Floats
    label: str
    colour: str = OURS
    dashed: bool = False
    steps: bool = False


def lines(
    name: str,
    alt: str,
    drawn: Sequence[Line],
    axes: tuple[str, str],
    *,
    log_x: bool = False,
    limits: tuple[float, float] | None = None,
) -> str:
    """Lines over one pair of axes; ``limits`` are of the y axis."""

    def draw(plot: Axes) -> None:
        for line in drawn:
            x, y = thinned(line.x, line.y)
            plot.plot(
                x,
                y,
                color=line.colour,
                label=line.label,
                linestyle="--" if line.dashed else "-",
                drawstyle="steps-mid" if line.steps else "default",
            )
        if log_x:
            plot.set_xscale("log")
            _plain(plot.xaxis)
        if limits is not None:
            plot.set_ylim(*limits)
        plot.set_xlabel(axes[0])
        plot.set_ylabel(axes[1])
        plot.legend(loc="best", fontsize=8)

    return _svg(name, alt, draw)


def reliability(name: str, alt: str, sides: Sequence[tuple[str, str, Floats]]) -> str:
    """Per side its label, colour and a table: what the score said, and the share of fraud with its bounds."""

    def draw(plot: Axes) -> None:
        ends = np.concatenate([table[:, :2].ravel() for _, _, table in sides])
        low = max(float(ends[ends > 0].min(initial=1.0)) / 2, 1e-6)
        plot.plot([low, 1], [low, 1], color=MUTED, linestyle="--", linewidth=1, label="as it says")
        for label, colour, table in sides:
            said, true, lower, upper = np.maximum(table, low).T
            plot.errorbar(
                said,
                true,
                yerr=np.maximum(np.vstack([true - lower, upper - true]), 0.0),
                color=colour,
                marker="o",
                markersize=4,
                linewidth=1,
                capsize=2,
                label=label,
            )
        plot.set_xscale("log")
        plot.set_yscale("log")
        _plain(plot.xaxis)
        _plain(plot.yaxis)
        plot.set_xlabel("mean score of a tenth of the events")
        plot.set_ylabel("share of fraud in it")
        plot.legend(loc="upper left", fontsize=8)

    return _svg(name, alt, draw)


def bars(
    name: str,
    alt: str,
    labels: Sequence[str],
    groups: Sequence[tuple[str, str, Floats]],
    x_label: str,
    marks: Sequence[float] = (),
) -> str:
    """Horizontal bars, the first label on top; per group its name, colour and values; ``marks`` are lines."""

    def draw(plot: Axes) -> None:
        place = np.arange(len(labels))[::-1]
        height = 0.8 / len(groups)
        for at, (label, colour, values) in enumerate(groups):
            shift = 0.4 - height * (at + 0.5)
            plot.barh(place + shift, values, height=height, color=colour, label=label)
        for mark in marks:
            plot.axvline(mark, color=MUTED, linestyle="--", linewidth=1)
        plot.set_yticks(place, labels, fontsize=8)
        plot.set_ylim(-0.6, len(labels) - 0.4)
        plot.grid(visible=False, axis="y")
        plot.set_xlabel(x_label)
        if len(groups) > 1:
            plot.legend(loc="lower right", fontsize=8)

    tall = max(2.0, 0.8 + _BAR_INCHES * len(labels) * (1 + 0.35 * (len(groups) - 1)))
    longest = max((len(label) for label in labels), default=0)
    return _svg(name, alt, draw, (_INCHES[0], tall), _BESIDE_BARS + _CHARACTER * longest)


def thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most so many points as an eye can tell apart, evenly along both axes."""
    if len(x) <= _POINTS:
        return x, y
    along = np.abs(np.diff(x)) / (np.ptp(x) or 1.0) + np.abs(np.diff(y)) / (np.ptp(y) or 1.0)
    travelled = np.append(0.0, np.cumsum(np.nan_to_num(along)))
    wanted = np.linspace(0, travelled[-1], _POINTS)
    kept = np.unique(np.concatenate([[0], np.searchsorted(travelled, wanted).clip(0, len(x) - 1)]))
    return x[kept], y[kept]


def _plain(axis: Axis) -> None:
    """Powers of ten in digits: to set them as formulas takes longer than all else in a plot."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _svg(
    name: str,
    alt: str,
    draw: Callable[[Axes], None],
    inches: tuple[float, float] = _INCHES,
    left: float = _LEFT,
) -> str:
    """``left`` is the room for the labels of the y axis, in inches.

    Room is reckoned, not tried: a layout that finds it by itself draws every plot twice.
    """
    wide, tall = inches
    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):  # type: ignore[arg-type]  # its keys are literals
        figure = Figure(figsize=inches)
        FigureCanvasSVG(figure)
        plot = figure.subplots()
        figure.subplots_adjust(
            left=min(left / wide, _MOST_LEFT),
            right=1 - _MARGIN / wide,
            bottom=_BOTTOM / tall,
            top=1 - _MARGIN / tall,
        )
        draw(plot)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _for_the_page(written.getvalue(), alt)


def _for_the_page(svg: str, alt: str) -> str:
    text = _SHARED_STYLE.sub("", _METADATA.sub("", _DROPPED.sub("<svg", svg, count=1)), count=1)
    text = _IDS.sub("", _FONT.sub(r"font-size: \1px", text))
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    label = f' role="img" aria-label="{escape(alt, quote=True)}"'
    return _SIZE.sub(label, text, count=1).strip()
