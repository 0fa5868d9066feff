"""The figures of a version in rows: what it was judged by, beside the champion of that day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from training.keeper.runs import Run
    from training.keeper.views.models import Version

_SHOWN = {
    "average_precision": "Average precision",
    "roc_auc": "Area under the ROC curve",
    "validation_average_precision": "Average precision on the validation slice",
    "calibration_error": "Calibration error",
    "prevalence": "Share of fraud, by weight",
    "rows": "Judged events",
    "frauds": "Judged frauds",
}
_COUNTS = {"rows", "frauds"}


@dataclass(frozen=True)
class Figure:
    """One measure: its value with its interval, and the champion's on the same events."""

    label: str
    value: float
    low: float | None
    high: float | None
    theirs: float | None
    digits: int


def figures_of(version: Version, run: Run | None) -> list[Figure]:
    """The measures that say most."""
    ours = version.metrics
    theirs = run.result.champion_metrics if run is not None and run.result is not None else {}
    if not theirs and version.lineage is not None:
        theirs = version.lineage["champion_metrics"]
    return [
        Figure(
            label,
            ours[name],
            ours.get(f"{name}_low"),
            ours.get(f"{name}_high"),
            theirs.get(name),
            0 if name in _COUNTS else 4,
        )
        for name, label in _SHOWN.items()
        if name in ours
    ]


def others_of(version: Version) -> list[tuple[str, float]]:
    """All other measures, by name."""
    shown = {f"{name}{end}" for name in _SHOWN for end in ("", "_low", "_high")}
    return [(name, value) for name, value in sorted(version.metrics.items()) if name not in shown]


def interval_bar(metrics: dict[str, float], name: str) -> Markup:
    """Value and interval of a measure between 0 and 1 as a dot on a line, beside which the number stands."""
    value = metrics.get(name)
    if value is None:
        return Markup("")
    low, high = metrics.get(f"{name}_low", value), metrics.get(f"{name}_high", value)
    at = {"low": 100 * low, "high": 100 * high, "value": 100 * value}
    return Markup(
        '<svg class="interval" viewBox="-4 0 108 10" width="108" height="10" aria-hidden="true">'
        '<line class="scale" x1="0" y1="5" x2="100" y2="5"/>'
        '<line x1="{low:.1f}" y1="5" x2="{high:.1f}" y2="5"/><circle cx="{value:.1f}" cy="5" r="3.5"/></svg>'
    ).format(**at)
