from __future__ import annotations

import numpy as np
import pytest

from feature_store.errors import ConfigError
from streams.models.engine import native_engine
from tests.support.challengers import ALGORITHMS, events, fitted
from tests.support.labelled import labelled
from tests.support.training_snapshots import AS_OF, DAY, START, declare


@ALGORITHMS
def test_a_monotone_feature_never_lowers_the_margin(algorithm: str) -> None:
    random = np.random.default_rng(6)
    rows = events(6_000)
    wavy = random.random(6_000) < np.where(np.sin(rows.features[:, 0] / 15) > 0.6, 0.5, 0.03)
    rows = labelled(wavy, rows.features[:, [0, 2, 2]], rows.time)
    free = fitted(rows, algorithm=algorithm)
    held = fitted(rows, algorithm=algorithm, monotone={"amount_eur": "increasing", "doubled": "decreasing"})
    base = np.repeat(rows.features[:50], 300, axis=0)
    base[:, 0] = np.tile(np.linspace(0, 250, 300), 50)
    for challenger, rises in ((free, False), (held, True)):
        swept = challenger.model.margins(base).reshape(50, 300)
        assert bool(np.all(np.diff(swept, axis=1) >= 0)) is rises
    base[:, 1] = base[:, 0] / 250
    base[:, 0] = 30
    assert np.all(np.diff(held.model.margins(base).reshape(50, 300), axis=1) <= 0)


@ALGORITHMS
def test_a_categorical_feature_is_split_by_sets_and_walked_alike(algorithm: str) -> None:
    random = np.random.default_rng(6)
    category = random.integers(0, 40, 8_000).astype(np.float64)
    category[random.random(8_000) < 0.05] = np.nan
    fraud = random.random(8_000) < np.where(np.isin(category, [3, 11, 12, 29, 37]), 0.6, 0.02)
    amount = random.gamma(2.0, 30.0, 8_000)
    times = np.sort(random.integers(START, AS_OF - 3 * DAY, 8_000))
    rows = labelled(fraud, np.column_stack((amount, category, random.random(8_000))), times)
    challenger = fitted(
        rows, algorithm=algorithm, categorical=["doubled"], parameters={"max_cat_to_onehot": 4}
    )
    packed = challenger.model.packed
    assert packed is not None, challenger.model.fallback
    asked = rows.features.copy()
    asked[:, 1] = random.integers(-2, 60, 8_000)
    asked[::17, 1] = np.nan
    native = native_engine(algorithm, challenger.artifact)
    assert np.array_equal(packed.margins(asked), native.margins(asked))
    few = np.column_stack((np.full(60, 50.0), np.arange(60.0), np.full(60, 0.5)))
    high = challenger.model.scores(challenger.model.margins(few)) > 0.3
    assert np.flatnonzero(high[:40]).tolist() == [3, 11, 12, 29, 37]


@ALGORITHMS
def test_a_category_that_was_never_fitted_on_stops_nothing(algorithm: str) -> None:
    rows = events()
    category = np.where(np.arange(len(rows)) < len(rows) // 2, 3.0, 77.0)
    category[::3] = 1.0
    rows = labelled(rows.fraud, np.column_stack((rows.features[:, 0], category, category)), rows.time)
    assert fitted(rows, algorithm=algorithm, categorical=["doubled"]).rounds > 1


@pytest.mark.parametrize("value", [-1.0, 0.5, 1e8])
@ALGORITHMS
def test_a_number_that_is_no_category_is_named(algorithm: str, value: float) -> None:
    rows = events()
    rows.features[:, 1] = 2
    rows.features[-700, 1] = value
    with pytest.raises(ConfigError, match=rf"training\.categorical: 'doubled' has the value {value:.10g}"):
        fitted(rows, algorithm=algorithm, categorical=["doubled"])


@pytest.mark.parametrize(
    ("training", "word"),
    [
        ({"monotone": {"amuont": "increasing"}}, "training.monotone: 'amuont' is not a declared feature"),
        ({"categorical": ["nose"]}, "training.categorical: 'nose' is not a declared feature"),
        ({"categorical": ["noise"], "monotone": {"noise": "increasing"}}, "'noise' is categorical"),
        ({"device": "cuda"}, "training.device: lightgbm is fitted on the CPU"),
    ],
)
def test_a_key_that_cannot_be_is_named(training: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        declare(**training)
