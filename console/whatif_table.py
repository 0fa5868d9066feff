"""A what-if: both policies side by side, and what is not known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from console.page import page
from feature_store.errors import ConfigError
from feature_store.units import to_text

if TYPE_CHECKING:
    from training.whatif.compare import Comparison, Side

_ROWS: dict[str, tuple[str, str]] = {
    "money lost": ("lost", "{:,.2f}"),
    "  by missed frauds": ("missed", "{:,.2f}"),
    "  by reviews": ("reviews", "{:,.2f}"),
    "  by false declines": ("false_declines", "{:,.2f}"),
    "money saved, against approving all": ("saved", "{:,.2f}"),
    "recall of fraud": ("recall", "{:.1%}"),
    "precision of what is stopped": ("precision", "{:.1%}"),
    "legitimate events declined": ("legitimate_declined", "{:,.0f}"),
}


def costs_of(given: list[str]) -> dict[str, float]:
    """``review=3`` as a key with its value. Raises ConfigError for what is not of this form."""
    costs = {}
    for each in given:
        name, _, value = each.partition("=")
        try:
            costs[name.strip()] = float(value)
            if not math.isfinite(costs[name.strip()]):
                raise ValueError  # noqa: TRY301  (both are no number of money)
        except ValueError:
            raise ConfigError(f"--cost {each!r}: expected NAME=NUMBER, for example review=3") from None
    return costs


def as_dict(found: Comparison) -> dict[str, Any]:
    """For programs; what is undefined is null, days are those of UTC."""
    return {
        "events": found.events,
        "labelled": found.labelled,
        "weight": found.weight,
        "changed": found.changed,
        "changed_with_unknown_truth": found.in_the_dark,
        "really": _side(found.really),
        "what_if": _side(found.what_if),
        "days": [
            {
                "day": to_text(day)[:10],
                "events": int(found.by_day[day]),
                **{f"reviews_{name}": round(side.reviews[day], 2) for name, side in _sides(found)},
                **{f"declines_{name}": round(side.declines[day], 2) for name, side in _sides(found)},
            }
            for day in sorted(found.by_day)
        ],
    }


def print_comparison(found: Comparison) -> None:
    """Figure by figure, with the difference; below, what stands behind them."""
    table = Table()
    table.add_column("")
    for name in ("really", "what if", "difference"):
        table.add_column(name, justify="right")
    really, tried = found.really.figures(), found.what_if.figures()
    for title, (name, form) in _ROWS.items():
        _add(table, title, form, really[name], tried[name])
    table.add_section()
    for title, of_day in (("reviews a day", _mean), ("reviews on the longest day", _most)):
        _add(table, title, "{:,.1f}", of_day(found.really.reviews), of_day(found.what_if.reviews))
    _add(table, "declines a day", "{:,.1f}", _mean(found.really.declines), _mean(found.what_if.declines))
    console = page()
    console.print(table)
    console.print(Text("\n".join(_words(found))))


def _words(found: Comparison) -> list[str]:
    if not found.events:
        return ["No decision is stored of events from --since to before --until."]
    told = [
        f"{found.events:,} events were decided, {found.changed:,} of them would be decided otherwise.",
        f"Money, recall and precision: {found.labelled:,} of known truth, standing for {found.weight:,.0f}.",
    ]
    if found.in_the_dark:
        told.append(
            f"{found.in_the_dark:,} that would change were stopped, and nobody knows their truth: what "
            "letting them through would cost is not in these figures (outcomes.control_group helps)."
        )
    return told


def _add(table: Table, title: str, form: str, really: float, tried: float) -> None:
    cells = ["-" if math.isnan(each) else form.format(each) for each in (really, tried)]
    difference = tried - really
    signed = "-" if math.isnan(difference) else form.replace("{:", "{:+").format(difference)
    table.add_row(Text(title), *cells, signed)


def _sides(found: Comparison) -> list[tuple[str, Side]]:
    return [("really", found.really), ("what_if", found.what_if)]


def _side(side: Side) -> dict[str, Any]:
    figures = {name: None if math.isnan(value) else value for name, value in side.figures().items()}
    asked = dict(zip(("approve", "review", "decline"), side.asked.tolist(), strict=True))
    queue = {"reviews_per_day": _mean(side.reviews), "most_reviews_in_a_day": _most(side.reviews)}
    return {"asked": asked, **queue, **figures}


def _mean(by_day: dict[int, float]) -> float:
    return sum(by_day.values()) / len(by_day) if by_day else 0.0


def _most(by_day: dict[int, float]) -> float:
    return max(by_day.values(), default=0.0)
