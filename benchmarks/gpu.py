"""A GPU beside the CPU: microseconds per row that is scored, and seconds to fit XGBoost's trees."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks.trees import FEATURES, TREES, table, timed, us_per_row, xgboost_artifact
from feature_store.errors import ContractError
from feature_store.memory_map import memory_map
from streams.models.cuda import CudaEngine, name_of_gpu, why_not
from streams.models.engine import native_engine
from streams.models.libraries import xgboost
from streams.models.packing import pack_here
from streams.models.trees.walk import PackedEngine
from tests.support.labelled import labelled
from training.fitting.algorithms import Plan, algorithm, threads

if TYPE_CHECKING:
    from streams.models.engine import Engine
    from training.dataset.events import LabelledEvents

BATCHES = (1, 16, 64, 256, 512, 2_048, 16_384)
FITTED_TREES = 100
FITTED_ROWS = (200_000, 2_000_000)
_SHIPPED_BINS, _FEWER_BINS = 8_192, 256
_PATIENT_ROWS = 200_000
"""More than these are not fitted on so few threads as a trainer takes: that is for a night."""


def main() -> None:
    """Print both tables. Raises ContractError where there is no GPU."""
    missing = why_not()
    if missing is not None:
        raise ContractError(f"there is no GPU to measure: {missing}")
    print(f"{name_of_gpu()}, {os.cpu_count()} cores, XGBoost {xgboost.__version__}")
    _score()
    _fit()


def _score() -> None:
    matrix, label = table()
    artifact = xgboost_artifact(matrix, label)
    native = native_engine("xgboost", artifact)
    packed = PackedEngine("xgboost-packed", pack_here(native, artifact))
    print(
        f"\nscoring: us per row by rows a call; {FEATURES} features, {TREES} trees of depth 6; CPU: one core"
    )
    print(f"{'':16}" + "".join(f"{batch:>10,}" for batch in BATCHES))
    engines: tuple[Engine, ...] = (packed, native, CudaEngine(artifact))
    for engine in engines:
        costs = (us_per_row(engine.margins, matrix, batch) for batch in BATCHES)
        print(f"{engine.name:16}" + "".join(f"{cost:>10.2f}" for cost in costs), flush=True)


def _fit() -> None:
    print(f"\nfitting: seconds for {FITTED_TREES} trees of depth 6, {FEATURES} features, bins included")
    _seconds(_events(2_000), "cuda", 1, _FEWER_BINS)  # the first one wakes the GPU
    all_cores = os.cpu_count() or 1
    for rows in FITTED_ROWS:
        events = _events(rows)
        on_cpu = [all_cores] if rows > _PATIENT_ROWS else sorted({2, all_cores})
        for bins in (_SHIPPED_BINS, _FEWER_BINS):
            _compare("in memory", events, bins, on_cpu)
        with tempfile.TemporaryDirectory() as folder:
            _compare("on disk", _on_disk(events, Path(folder)), _SHIPPED_BINS, [all_cores])


def _compare(where: str, events: LabelledEvents, bins: int, on_cpu: list[int]) -> None:
    cells = [f"CPU, {each} threads {_seconds(events, 'cpu', each, bins):.1f}" for each in on_cpu]
    cells.append(f"GPU {_seconds(events, 'cuda', threads(len(events)), bins):.1f}")
    print(f"{len(events):>10,} rows {where:9} max_bin {bins:>5,}: " + "; ".join(cells), flush=True)


def _events(rows: int) -> LabelledEvents:
    matrix, label = table(rows)
    return labelled(label > 0, matrix)


def _on_disk(events: LabelledEvents, room: Path) -> LabelledEvents:
    features = memory_map(room, *events.features.shape)
    features[:] = events.features
    return replace(events, features=features, room=room)


def _seconds(events: LabelledEvents, device: Literal["cpu", "cuda"], nthread: int, bins: int) -> float:
    names = [f"f{number}" for number in range(FEATURES)]
    parameters: dict[str, bool | int | float | str] = {"max_depth": 6, "max_bin": bins, "nthread": nthread}
    plan = Plan(names, parameters, seed=1, rounds=FITTED_TREES, device=device)
    return timed(lambda: algorithm("xgboost").fit(events, None, plan, _quiet))[1]


def _quiet(_round: int, _loss: float) -> None:
    """Nobody hears of progress."""


if __name__ == "__main__":
    main()
