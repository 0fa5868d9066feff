"""The outcome of a backtest: a line per fold, and their mean."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from console.page import page
from training.backtest.run import FIGURES

if TYPE_CHECKING:
    from training.backtest.run import Backtest, FoldResult


def as_dict(found: Backtest) -> dict[str, Any]:
    """For programs; what is undefined is null."""
    return {
        "pipeline": found.pipeline,
        "algorithm": found.algorithm,
        "frozen": found.frozen,
        "drop_known_entities": found.drop_known_entities,
        "folds": [_fold(each) for each in found.folds],
        "mean": _defined(found.mean),
    }


def print_backtest(found: Backtest) -> None:
    """A table of the folds, oldest first, and the mean below."""
    table = Table(
        title=f"{found.pipeline}, {found.algorithm}{', frozen' if found.frozen else ''}", title_justify="left"
    )
    names = ("trained on", "rows", "frauds", "tested on", "rows", "frauds", "rounds", "seconds")
    measures = ("ROC AUC", "average precision", "card precision@100")
    for name in (*names, *measures):
        table.add_column(name, justify="left" if " on" in name else "right", no_wrap=" on" in name)
    for each in found.folds:
        table.add_row(*(Text(cell) for cell in _cells(each)))
    table.add_section()
    table.add_row("mean", *[""] * (len(names) - 1), *(f"{found.mean[name]:.3f}" for name in FIGURES))
    console = page()
    console.print(table)
    dropped = sum(each.dropped for each in found.folds)
    if dropped:
        console.print(f"{dropped:,} events of entities that were known to be compromised were not tested")


def _cells(each: FoldResult) -> list[str]:
    return [
        f"{each.trained_from[:10]} to {each.trained_until[:10]}",
        f"{each.trained_rows:,}",
        f"{each.trained_frauds:,}",
        f"{each.tested_from[:10]} to {each.tested_until[:10]}",
        f"{each.rows:,}",
        f"{each.frauds:,}",
        f"{each.rounds:,}",
        f"{each.seconds:.1f}",
        f"{each.roc_auc:.3f}",
        f"{each.average_precision:.3f}",
        f"{each.card_precision_100:.3f}",
    ]


def _fold(each: FoldResult) -> dict[str, Any]:
    told = asdict(each)
    return _defined(told | told.pop("others"))


def _defined(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in values.items()
    }
