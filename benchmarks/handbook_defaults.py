"""Which defaults suit money amounts: `python -m benchmarks.handbook_defaults FILE`; FILE is the handbook's.

A prequential backtest by the book's protocol over eight weeks that end where the book's own training week
begins: what `training/fitting` ships is chosen here, and nothing of the weeks that the book reports is seen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from console.logs import only_warnings
from console.progress import progress_bar
from feature_store.declaration.load import load_pipeline
from feature_store.units import from_text
from training.backtest.folds import folds_of
from training.backtest.past import read_past
from training.backtest.run import backtest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.declaration.pipeline import Pipeline
    from training.backtest.folds import Fold
    from training.backtest.past import Past
    from training.backtest.run import FoldResult

PROTOCOL = Path(__file__).resolve().parents[1] / "config" / "handbook-protocol.yaml"
FIRST_TEST = from_text("2018-05-30T00:00:00Z")
WEEKS = 8
UNTOUCHED = from_text("2018-07-25T00:00:00Z")
"""Where the book's training week begins."""
SEEDS = (7, 8, 9)

Parameters = dict[str, float | int | str | bool]

BARE: Parameters = {"lambda_l2": 0, "min_sum_hessian_in_leaf": 1e-3}
"""LightGBM's own about leaves."""

CANDIDATES: dict[str, list[Parameters]] = {
    "lightgbm": [
        {"max_bin": 255, "min_data_in_bin": 3, "boost_from_average": True},
        {**BARE, "num_leaves": 16},
        {**BARE, "num_leaves": 8},
        {**BARE, "num_leaves": 16, "learning_rate": 0.03},
        {"lambda_l2": 10, "min_sum_hessian_in_leaf": 1e-3},
        {"learning_rate": 0.1},
        {"learning_rate": 0.03},
        {"num_leaves": 16},
        {"num_leaves": 6, "learning_rate": 0.1},
        {"bagging_fraction": 0.7, "bagging_freq": 1},
        {"bagging_fraction": 0.7, "bagging_freq": 1, "learning_rate": 0.1},
    ],
    "xgboost": [
        {"max_bin": 256, "base_score": 0.01},
        {"max_depth": 3, "tree_method": "exact"},
        {"max_depth": 4, "subsample": 1.0},
        {"max_depth": 3, "subsample": 1.0},
    ],
}
"""On top of what is shipped; the first of each family is what the library itself would do about bins."""


def main() -> int:
    """A line per candidate, best first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=Path)
    parser.add_argument("--algorithm", choices=sorted(CANDIDATES), action="append")
    chosen = parser.parse_args()
    only_warnings()
    pipeline = load_pipeline(PROTOCOL)
    folds = folds_of(pipeline, FIRST_TEST, WEEKS)
    if folds[-1].tested_until > UNTOUCHED:
        raise SystemExit("the last test reaches into the weeks that are for reporting")
    with progress_bar() as tell:
        past = read_past(pipeline, chosen.events, folds[0].trained_from, folds[-1].tested_until, tell)
    for algorithm in chosen.algorithm or sorted(CANDIDATES):
        sys.stdout.write(f"\n{algorithm}\n\n{HEAD}\n")
        for line in _lines(pipeline, algorithm, past, folds):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 0


HEAD = (
    "| parameters | average precision | weakest week | CP@100 | ROC AUC | rounds |\n|---|---|---|---|---|---|"
)


def _lines(pipeline: Pipeline, algorithm: str, past: Past, folds: list[Fold]) -> Iterator[str]:
    for parameters in ({}, *CANDIDATES[algorithm]):
        seeds = SEEDS if _is_drawn(algorithm, parameters) else SEEDS[:1]
        found: list[FoldResult] = []
        for seed in seeds:
            spec = {"algorithm": algorithm, "parameters": parameters, "seed": seed}
            under = pipeline.model_copy(update={"training": pipeline.training.model_copy(update=spec)})
            found += backtest(under, past, folds, _silent).folds
        weeks = np.reshape([each.average_precision for each in found], (len(seeds), len(folds))).mean(axis=0)
        mean = {
            name: float(np.mean([getattr(each, name) for each in found]))
            for name in ("card_precision_100", "roc_auc", "rounds")
        }
        said = ", ".join(f"{name} {value}" for name, value in parameters.items())
        yield (
            f"| {said or 'as shipped'} | {weeks.mean():.4f} | {weeks.min():.3f} "
            f"| {mean['card_precision_100']:.4f} | {mean['roc_auc']:.4f} | {mean['rounds']:.0f} |"
        )


def _is_drawn(algorithm: str, parameters: Parameters) -> bool:
    """Whether the seed matters: rows or columns are drawn, as XGBoost's are by default."""
    drawn = {"subsample": 0.7 if algorithm == "xgboost" else 1.0} | parameters
    return any(drawn.get(name, 1.0) != 1.0 for name in ("subsample", "colsample_bytree", "bagging_fraction"))


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total


if __name__ == "__main__":
    sys.exit(main())
