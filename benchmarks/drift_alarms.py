"""Drift found where there is none, and how soon where there is: `python -m benchmarks.drift_alarms`.

Simulated payments, looked at once an hour as the monitor does, against what a model knows that was fitted on
the three weeks before: on a usual stream, and on ones whose prices change on some day.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.drift import DAY, START, drifting
from console.logs import only_warnings
from feature_store.units import to_micros
from streams.messages import FeatureRef
from streams.monitor.drift import Drift
from streams.monitor.sample import Recent, Taken, draws_of
from streams.sources import Scenario, write_parquet
from tests.support.manifests import bare_manifest
from training.backtest.past import read_past
from training.feature_bins import reference_of
from training.score_bins import bins_of

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest
    from streams.monitor.arrays import Ints
    from training.dataset.events import LabelledEvents

EVENTS_PER_DAY, SEED = 2_000, 11
FITTED, SETTLED, LOOKED = 21, 24, 38
"""Days: the last that is fitted on, the one prices change on, and the last that is looked at."""
HOUR = 3_600_000_000
FACTORS = (1.0, 1.15, 1.3, 1.6, 2.5)


class Found(NamedTuple):
    """Of one stream: looks at features, those that found drift, and after how many hours the first did."""

    factor: float
    looks: int
    drifts: int
    features: int
    delay_h: float | None


def main() -> int:
    """A line per stream."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events-per-day", type=int, default=EVENTS_PER_DAY)
    chosen = parser.parse_args()
    only_warnings()
    sys.stdout.write("| prices times | looks at a feature | found drift | features | first, hours later |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for factor in FACTORS:
        found = watched(factor, chosen.events_per_day)
        delay = "" if found.delay_h is None else f"{found.delay_h:.0f}"
        sys.stdout.write(
            f"| {found.factor:g} | {found.looks:,} | {found.drifts:,} | {found.features} | {delay} |\n"
        )
    return 0


def watched(factor: float, events_per_day: int) -> Found:
    """Look every hour at the days after the fit."""
    pipeline = drifting()
    scenario = Scenario(
        days=LOOKED,
        events_per_day=events_per_day,
        seed=SEED,
        start=START,
        new_pattern_day=LOOKED,
        drift_day=SETTLED if factor != 1.0 else None,
        drift_factor=factor,
    )
    begun = to_micros(START)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "past.parquet"
        write_parquet(scenario, file)
        past = read_past(pipeline, file, begun, begun + LOOKED * DAY, lambda *_: None)
    return _looked(pipeline, past.events, factor, begun)


def _looked(pipeline: Pipeline, events: LabelledEvents, factor: float, begun: int) -> Found:
    champion = _champion(pipeline, events.between(begun - 1, begun + FITTED * DAY), begun)
    recent, drift = Recent(pipeline.monitoring.drift.window, events.features.shape[1]), Drift(pipeline)
    looks = drifts = 0
    moved: set[str] = set()
    first: float | None = None
    for hour in range((FITTED - 1) * 24, LOOKED * 24):
        now = begun + (hour + 1) * HOUR
        _add(recent, events.between(now - HOUR, now), hour)
        if hour < FITTED * 24:
            continue
        told = drift.compare(recent.sample(now), champion, {}, whole=recent.covers(now))["features"]
        found = {each["name"] for each in told if each["state"] in {"drift", "missing"}}
        looks += sum(each["state"] != "ignored" for each in told)
        drifts += len(found)
        moved |= found
        if found and first is None:
            first = (now - begun - SETTLED * DAY) / HOUR
    return Found(factor, looks, drifts, len(moved), first)


def _champion(pipeline: Pipeline, fitted: LabelledEvents, begun: int) -> Manifest:
    vector = pipeline.feature_vector
    columns = [FeatureRef(feature.name, feature.hash, feature.dtype) for feature in vector]
    score = np.linspace(0, 1, len(fitted))
    reference = reference_of(
        pipeline, columns, fitted, fitted, bins_of(score, fitted.weight), score, begun - 365 * DAY
    )
    return bare_manifest(pipeline=pipeline.name, features=columns, feature_bins=reference)


def _add(recent: Recent, events: LabelledEvents, hour: int) -> None:
    def take(places: Ints) -> Taken:
        count = places.size
        return Taken(
            events.entity[places].astype(np.uint64),
            np.zeros(count, np.int64),
            np.full(count, np.nan),
            events.features[places],
        )

    recent.add(events.time, draws_of(0, hour * 1_000_000 + np.arange(len(events))), take)


if __name__ == "__main__":
    sys.exit(main())
