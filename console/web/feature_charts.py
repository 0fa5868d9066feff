"""How a feature is spread: when the champion was fitted, and now."""

from __future__ import annotations

from itertools import pairwise
from math import isclose
from typing import TYPE_CHECKING

from console.web.charts import Chart, Series, beside, columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from console.web.monitor_figures import Spread
    from training.keeper.views.features import Histogram

_ONE_VALUE = 1e-12
"""Edges so close have a single value between them."""


def then_and_now(name: str, drift: Spread) -> Markup:
    """Shares in the reference's bins, then and now."""
    series = [
        Series("when fitted", [100 * share for share in drift.reference_shares], "soft"),
        Series("now", [100 * share for share in drift.shares], "plain"),
    ]
    chart = Chart(f"{name}: share of events with it", bins_in_words(drift.edges), series, " %", 1)
    return beside(chart)


def now(name: str, found: Histogram) -> Markup | None:
    """Shares between steps of one width; None where there is nothing to draw."""
    if not found.counts:
        return None
    total = sum(found.counts)
    shares = [100 * count / total for count in found.counts]
    labels = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(found.edges)]
    return columns(
        Chart(f"{name}: share of the newest decisions with it", labels, [Series("now", shares)], " %", 1)
    )


def bins_in_words(edges: Sequence[float]) -> list[str]:
    """The stretches that ``edges`` part: up to the first, between neighbours, above the last."""
    if not edges:
        return ["any"]
    between = [
        f"{high:.4g}" if isclose(low, high, abs_tol=_ONE_VALUE) else f"{low:.4g} to {high:.4g}"
        for low, high in pairwise(edges)
    ]
    first = f"below {between[0]}" if between and " " not in between[0] else f"to {edges[0]:.4g}"
    return [first, *between, f"above {edges[-1]:.4g}"]
