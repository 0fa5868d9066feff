"""The outcome of a check of features: a line per feature, and one that sums it up."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from training.history.check import Checked
    from training.history.differences import Compared

_PAGE_WIDTH = 160  # where nobody looks at a terminal


def as_dict(checked: Checked) -> dict[str, Any]:
    """For programs."""
    return {
        "rows": checked.rows,
        "late": checked.late,
        "differences": checked.differences,
        "features": [asdict(each) for each in checked.features],
    }


def print_check(checked: Checked) -> None:
    """A table of every feature, and the sum of it."""
    table = Table()
    table.add_column("feature", overflow="fold")
    for name in ("rows compared", "other definition", "differences", "largest"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("example", overflow="fold")
    for each in checked.features:
        style = "bold red" if each.differences else None
        table.add_row(*(Text(cell) for cell in _cells(each)), style=style)
    console = Console(width=None if sys.stdout.isatty() else _PAGE_WIDTH, highlight=False)
    console.print(table)
    console.print(Text(summary(checked)))


def summary(checked: Checked) -> str:
    """The whole check in one sentence."""
    wrong = [each for each in checked.features if each.differences]
    late = f"; {checked.late} late events were left out" if checked.late else ""
    if not wrong:
        return f"{checked.rows} events, {len(checked.features)} features: no difference{late}"
    count = "1 difference" if checked.differences == 1 else f"{checked.differences} differences"
    return (
        f"{checked.rows} events, {len(checked.features)} features: {count} in "
        f"{', '.join(each.name for each in wrong)}{late}"
    )


def _cells(each: Compared) -> list[str]:
    largest = "" if each.largest is None else f"{each.largest:g}"
    shown = ""
    if each.example is not None:
        said = each.example
        shown = f"{said.event_id}: {_value(said.found)}, computed again {_value(said.computed)}"
    return [each.name, f"{each.rows:,}", f"{each.other:,}", f"{each.differences:,}", largest, shown]


def _value(number: float | None) -> str:
    return "null" if number is None else repr(number)
