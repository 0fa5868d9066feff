"""Scoring trees: microseconds per row, packed walk beside the libraries' own, by how many rows a call has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from streams.models.engine import native_engine
from streams.models.libraries import lightgbm, xgboost
from streams.models.packing import pack_here
from streams.models.trees.walk import PackedEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.expressions import Matrix
    from streams.models.engine import Engine

    Labels = np.ndarray[tuple[int], np.dtype[np.float64]]

Result = TypeVar("Result")

FEATURES, TREES, LEAVES = 40, 300, 63
BATCHES = (1, 8, 64, 512, 1_000)
ROWS = 8_192
_REPEATS = 7
_MISSING = 0.03


def main() -> None:
    """Print a table like the one of measured facts: one core, other rows in each call, the best of seven."""
    matrix, label = table()
    print(f"{FEATURES} features, {TREES} trees of {LEAVES} leaves (XGBoost: depth 6), one thread")
    print(f"{'us per row':24}" + "".join(f"{f'batch {batch}':>12}" for batch in BATCHES) + f"{'load ms':>10}")
    for family, artifact in (
        ("lightgbm", _lightgbm(matrix, label)),
        ("xgboost", xgboost_artifact(matrix, label)),
    ):
        native, loading = timed(lambda: native_engine(family, artifact))  # noqa: B023  (called at once)
        packed, packing = timed(lambda: pack_here(native, artifact))  # noqa: B023
        engine = PackedEngine(f"{family}-packed", packed)
        if native.margins(matrix).tobytes() != engine.margins(matrix).tobytes():
            raise AssertionError(f"the packed walk is not {family}'s own to the bit")
        _print(native, matrix, loading)
        _print(engine, matrix, packing)
        paths = us_per_row(engine.contributions, matrix, 64)
        print(f"{f'{family}-packed, paths':24}{'':24}{paths:>12.2f}")


def _print(engine: Engine, matrix: Matrix, load_s: float) -> None:
    cells = (f"{us_per_row(engine.margins, matrix, batch):>12.2f}" for batch in BATCHES)
    print(f"{engine.name:24}" + "".join(cells) + f"{load_s * 1e3:>10.0f}")


def us_per_row(margins: Callable[[Matrix], object], matrix: Matrix, batch: int) -> float:
    """The best of seven runs over up to ``ROWS`` rows, in calls of ``batch``."""
    calls = max(1, min(ROWS, 64 * batch) // batch)
    best = min(timed(lambda: _call(margins, matrix, batch, calls))[1] for _ in range(_REPEATS))
    return best / (calls * batch) * 1e6


def _call(margins: Callable[[Matrix], object], matrix: Matrix, batch: int, calls: int) -> None:
    for start in range(0, calls * batch, batch):
        margins(matrix[start : start + batch])


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What it gives, and how many seconds it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def table(rows: int = 20_000) -> tuple[Matrix, Labels]:
    """Normal, skewed to the cent, and whole numbers; three in a hundred are missing."""
    random = np.random.default_rng(1)
    matrix = random.normal(size=(rows, FEATURES))
    matrix[:, 10:20] = np.round(np.exp(matrix[:, 10:20] * 2), 2)
    matrix[:, 20:25] = random.integers(0, 30, (len(matrix), 5))
    matrix[random.random(matrix.shape) < _MISSING] = np.nan
    known = np.nan_to_num(matrix)
    odds = known[:, 0] * known[:, 1] + np.sin(known[:, 2] * 2) + np.log1p(known[:, 11]) * known[:, 3] - 1
    return matrix, (random.random(len(matrix)) < 1 / (1 + np.exp(-odds))).astype(np.float64)


def _lightgbm(matrix: Matrix, label: Labels) -> bytes:
    parameters = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "learning_rate": 0.05,
        "verbose": -1,
        "num_threads": 1,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, label), TREES).model_to_string().encode()


def xgboost_artifact(matrix: Matrix, label: Labels) -> bytes:
    """XGBoost's model of usual size."""
    parameters = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.05, "nthread": 1}
    return bytes(xgboost.train(parameters, xgboost.DMatrix(matrix, label, nthread=1), TREES).save_raw("ubj"))


if __name__ == "__main__":
    main()
