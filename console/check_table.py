"""The outcome of a check of features: a line per feature, and one that sums it up."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from console.page import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.history.check import Checked
    from training.history.differences import Compared

_NAME_WIDTH = 24
_EXAMPLE = "example"


def as_dict(checked: Checked) -> dict[str, Any]:
    """For programs."""
    return {
        "rows": checked.rows,
        "late": checked.late,
        "differences": checked.differences,
        "features": [asdict(each) for each in checked.features],
    }


def print_check(checked: Checked) -> None:
    """A table of every feature, and the sum of it; columns that would be empty are left out."""
    table = Table()
    table.add_column("feature", overflow="fold", min_width=_NAME_WIDTH)
    columns = _columns(checked)
    for name in columns:
        table.add_column(name, justify="left" if name == _EXAMPLE else "right", overflow="fold")
    for each in checked.features:
        cells = [Text(each.name), *(Text(tell(each)) for tell in columns.values())]
        table.add_row(*cells, style="bold red" if each.differences else None)
    console = page()
    console.print(table)
    console.print(Text(summary(checked)))


def summary(checked: Checked) -> str:
    """The whole check in one sentence."""
    wrong = [each for each in checked.features if each.differences]
    bare = [each.name for each in checked.features if not each.rows]
    left_out = f"; {checked.late} late events were left out" if checked.late else ""
    if not checked.compared:
        return f"{checked.rows} events, {len(bare)} features: nothing was compared{left_out}"
    if bare:
        left_out += f"; nothing was compared for {', '.join(bare)}"
    if not wrong:
        return f"{checked.rows} events, {len(checked.features)} features: no difference{left_out}"
    count = "1 difference" if checked.differences == 1 else f"{checked.differences} differences"
    return (
        f"{checked.rows} events, {len(checked.features)} features: {count} in "
        f"{', '.join(each.name for each in wrong)}{left_out}"
    )


def _columns(checked: Checked) -> dict[str, Callable[[Compared], str]]:
    columns: dict[str, Callable[[Compared], str]] = {"rows compared": lambda each: f"{each.rows:,}"}
    if any(each.other for each in checked.features):
        columns["other definition"] = lambda each: f"{each.other:,}"
    columns["differences"] = lambda each: f"{each.differences:,}"
    if checked.differences:
        columns["largest"] = lambda each: "" if each.largest is None else f"{each.largest:g}"
        columns[_EXAMPLE] = _example
    return columns


def _example(each: Compared) -> str:
    said = each.example
    if said is None:
        return ""
    return f"{said.event_id}: {_value(said.found)}, computed again {_value(said.computed)}"


def _value(number: float | None) -> str:
    return "null" if number is None else repr(number)
