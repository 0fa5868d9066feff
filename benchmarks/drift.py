"""Retrained weekly against frozen, on a simulated stream that drifts: `python -m benchmarks.drift`.

The simulator's amounts drift all the time, and from the eighth week on fraudsters turn to a new pattern.
Both sides are `sluicegate backtest`: folds a week apart, fitted on what was known by then; the frozen side
goes on with the first week's model. `--plot FILE` draws the weeks as SVG.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.weeks_plot import weeks_plot
from console.logs import only_warnings
from console.progress import progress_bar
from feature_store.declaration.event import LabelColumn
from feature_store.declaration.load import load_pipeline
from feature_store.units import to_micros
from streams.sources import Scenario, write_parquet
from training.backtest.folds import folds_of
from training.backtest.past import read_past
from training.backtest.run import Backtest, backtest

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

DAYS, EVENTS_PER_DAY, SEED = 84, 1_200, 11
START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = 86_400_000_000
FIRST_TEST, NEW_PATTERN, WEEKS = 28, 49, 8
PAYMENTS = Path(__file__).resolve().parents[1] / "config" / "payments.yaml"


def main() -> int:
    """A line per week, and the mean of both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args()
    only_warnings()
    retrained, frozen = both()
    sys.stdout.write(table(retrained, frozen))
    if chosen.plot is not None:
        weeks = [each.tested_from[5:10] for each in retrained.folds]
        lines = {"retrained every week": retrained, "frozen": frozen}
        values = {name: [each.average_precision for each in found.folds] for name, found in lines.items()}
        title = "Average precision by week, simulated payments"
        chosen.plot.write_text(
            weeks_plot(title, weeks, values, (NEW_PATTERN - FIRST_TEST) // 7), encoding="utf-8"
        )
    return 0


def both() -> tuple[Backtest, Backtest]:
    """The same events, retrained every week and not."""
    pipeline = drifting()
    folds = folds_of(pipeline, to_micros(START) + FIRST_TEST * DAY, WEEKS)
    with tempfile.TemporaryDirectory() as folder, progress_bar() as tell:
        file = Path(folder) / "past.parquet"
        write_parquet(scenario(), file)
        past = read_past(pipeline, file, folds[0].trained_from, folds[-1].tested_until, tell)
        retrained = backtest(pipeline, past, folds, tell)
        return retrained, backtest(pipeline, past, folds, tell, frozen=True)


def scenario() -> Scenario:
    """Twelve weeks, the last five with a new pattern."""
    return Scenario(
        days=DAYS, events_per_day=EVENTS_PER_DAY, seed=SEED, start=START, new_pattern_day=NEW_PATTERN
    )


def drifting() -> Pipeline:
    """The shipped payments pipeline, trained on three weeks, tested on one; truth is in after three days."""
    pipeline = load_pipeline(PAYMENTS, {"SLUICEGATE_CONTROL_KEY": "nothing is drawn here"})
    label = LabelColumn.model_validate({"column": "fraud", "delay": "3d", "source": "chargeback"})
    mapping = pipeline.event.file.model_copy(update={"label": label})
    quicker: dict[str, object] = {"parameters": {"learning_rate": 0.1}}
    spec = pipeline.training.model_copy(update={"history": 21 * DAY, "judged": 7 * DAY, **quicker})
    event = pipeline.event.model_copy(update={"file": mapping})
    return pipeline.model_copy(update={"event": event, "training": spec})


def table(retrained: Backtest, frozen: Backtest) -> str:
    """Markdown: average precision and card precision of both, week by week."""
    lines = [
        "| tested from | frauds | retrained: AP | frozen: AP | retrained: CP@100 | frozen: CP@100 |",
        "|---|---|---|---|---|---|",
    ]
    for ours, theirs in zip(retrained.folds, frozen.folds, strict=True):
        lines.append(
            f"| {ours.tested_from[:10]} | {ours.frauds} | {ours.average_precision:.3f} "
            f"| {theirs.average_precision:.3f} | {ours.card_precision_100:.3f} "
            f"| {theirs.card_precision_100:.3f} |"
        )
    ours_mean, theirs_mean = retrained.mean, frozen.mean
    figures = " | ".join(
        f"{mean[name]:.3f}"
        for name in ("average_precision", "card_precision_100")
        for mean in (ours_mean, theirs_mean)
    )
    return "\n".join([*lines, f"| mean | | {figures} |", ""])


if __name__ == "__main__":
    sys.exit(main())
