"""What compaction saves, and what it costs: `python -m benchmarks.compaction FILE`; FILE is the handbook's.

A prequential backtest by the book's protocol over weeks before the book's own training week: each model is
fitted, compacted, fitted again and compacted alike, as it would be released, and tested on a later week.
Sizes and times are of the fit that a gate would have judged; before and after are timed in turns.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.handbook_defaults import PROTOCOL
from console.logs import only_warnings
from console.progress import progress_bar
from feature_store.declaration.fitting import CompactionSpec
from feature_store.declaration.load import load_pipeline
from feature_store.units import from_text
from training.backtest.folds import folds_of
from training.backtest.past import read_past
from training.backtest.run import retrained, tested_on, trained_on, under
from training.evaluation.ranking import average_precision

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from training.backtest.folds import Fold
    from training.backtest.past import Past
    from training.compaction.figures import CompactionReport
    from training.fitting.algorithms import Family
    from training.history.progress import OnProgress

FIRST_TEST = from_text("2018-06-27T00:00:00Z")
WEEKS = 4
FAMILIES: tuple[Family, ...] = ("lightgbm", "xgboost")
VARIANTS = (
    CompactionSpec(),
    CompactionSpec(tolerance=0.01),
    CompactionSpec(tolerance=0.1),
    CompactionSpec(tolerance=0.5),
    CompactionSpec(drop_trees=True),
)
HEAD = ("library", "compaction", "trees", "nodes", "bytes", "time", "log loss", "bound", "moved", "tested AP")


def main() -> None:
    """Print a line for each library and way of compaction: shares of what there was, means over the weeks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the handbook's transactions, Parquet")
    parser.add_argument("--weeks", type=int, default=WEEKS, help="how many weeks to test on")
    chosen = parser.parse_args()
    only_warnings()
    pipeline = load_pipeline(PROTOCOL)
    folds = folds_of(pipeline, FIRST_TEST, chosen.weeks)
    with progress_bar() as tell:
        past = read_past(pipeline, chosen.file, folds[0].trained_from, folds[-1].tested_until, tell)
        rows = [
            (family, _words(variant), *_means(_with(pipeline, family, variant), past, folds, tell))
            for family in FAMILIES
            for variant in VARIANTS
        ]
    for row in (HEAD, *rows):
        print("  ".join(f"{cell:<22}" if at == 1 else f"{cell:<9}" for at, cell in enumerate(row)))


def _with(pipeline: Pipeline, family: Family, variant: CompactionSpec) -> Pipeline:
    changed = under(pipeline, family, drop_known_entities=None)
    spec = changed.training.model_copy(update={"compaction": variant})
    return changed.model_copy(update={"training": spec})


def _words(variant: CompactionSpec) -> str:
    return "drop_trees: true" if variant.drop_trees else f"tolerance: {variant.tolerance:g}"


def _means(pipeline: Pipeline, past: Past, folds: list[Fold], tell: OnProgress) -> list[str]:
    shares, tested = [], []
    for fold in folds:
        model = retrained(pipeline, trained_on(past, fold), fold, tell)
        if model.compaction is None:
            raise SystemExit(f"fold {fold.number}: nothing was compacted")
        shares.append(_shares(model.compaction))
        later = tested_on(past, fold)
        tested.append(average_precision(later.fraud, model.model.margins(later.features)))
    trees, nodes, size, time, loss, bound, moved = np.mean(shares, axis=0).tolist()
    return [
        *(f"{share:.1%}" for share in (trees, nodes, size, time)),
        f"{loss:+.2%}",
        f"{bound:.2g}",
        f"{moved:.2g}",
        f"{np.mean(tested):.4f}",
    ]


def _shares(report: CompactionReport) -> list[float]:
    before, after = report.before, report.after
    if before is None or after is None:
        raise SystemExit(f"the model stands as it was: {report.skipped}")
    names = ("trees", "nodes", "bytes", "us_per_row")
    found = [getattr(after, name) / getattr(before, name) for name in names]
    return [*found, after.log_loss / before.log_loss - 1, report.bound, report.moved]


if __name__ == "__main__":
    main()
