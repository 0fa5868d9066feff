"""Models of usual size; their scores mean nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.peers.job import Customer, decode
from benchmarks.workload import payments
from streams.models.libraries import lightgbm
from tests.support.models import manifest_of

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.messages import Manifest

TREES, LEAVES = 300, 63
_ROWS = 30_000
_FRAUDS = 0.02
_SLOWLY = 0.05  # so that noise moves no score far: a usual share of events is stopped


def large_model(pipeline: Pipeline, version: str, seed: int) -> tuple[Manifest, bytes]:
    """A LightGBM model of 300 trees with 63 leaves for any pipeline."""
    random = np.random.default_rng(seed)
    artifact = _fitted(seed, random.lognormal(3, 1, (20_000, len(pipeline.feature_vector))))
    return manifest_of(pipeline, version, artifact), artifact


def job_artifact(trees: int = TREES) -> bytes:
    """The same size, fitted on the features of the benchmark's payments: it splits where they are."""
    customers: dict[str, Customer] = {}
    rows = []
    for payment in payments(_ROWS):
        decoded = decode(payment.value)
        rows.append(customers.setdefault(decoded.customer_id, Customer()).observe(decoded))
    return _fitted(1, np.array(rows), trees)


def _fitted(seed: int, matrix: Matrix, trees: int = TREES) -> bytes:
    random = np.random.default_rng(seed)
    labels = (random.random(len(matrix)) < _FRAUDS).astype(float)  # noise: every tree grows to its limit
    parameters = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "learning_rate": _SLOWLY,
        "min_data_in_leaf": 5,
        "min_sum_hessian_in_leaf": 0.0,
        "verbose": -1,
        "num_threads": 1,  # more than there are cores would spin
        "seed": seed,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(matrix, labels), num_boost_round=trees)
    return booster.model_to_string().encode()
