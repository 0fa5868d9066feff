"""The packed walk gives the library's own margins to the bit, whatever the model and whatever the rows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.models.choice import choose
from streams.models.engine import native_engine
from streams.models.packing import pack_here
from streams.models.trees.probes import probe_rows
from tests.support.boosters import Recipe, lightgbm_artifact, table, xgboost_artifact

if TYPE_CHECKING:
    from feature_store.expressions import Matrix
    from streams.models.engine import NativeEngine
    from streams.models.trees.walk import PackedEngine

ARTIFACTS = {"lightgbm": lightgbm_artifact, "xgboost": xgboost_artifact}
FAMILIES = pytest.mark.parametrize("family", ARTIFACTS)
LEAST = {"min_data_in_leaf": 1}

LIGHTGBM: dict[str, dict[str, Any]] = {
    "zero as missing": {"zero_as_missing": True},
    "no missing": {"use_missing": False},
    "monotone": {"monotone_constraints": [1, -1, 0, 0, 0]},
    "dart": {"boosting": "dart", "drop_rate": 0.5},
    "goss": {"data_sample_strategy": "goss"},
    "extra trees": {"extra_trees": True, "bagging_fraction": 0.5, "bagging_freq": 1},
    "stumps": {"max_depth": 1},
    "unbalanced": {"is_unbalance": True, "boost_from_average": False},
    "no split": {"min_data_in_leaf": 500},
}
XGBOOST: dict[str, dict[str, Any]] = {
    "base score": {"base_score": 0.03},
    "depth first": {"grow_policy": "depthwise", "max_depth": 9, "max_leaves": 0},
    "exact": {"tree_method": "exact", "grow_policy": "depthwise", "max_depth": 5, "max_leaves": 0},
    "forest": {"num_parallel_tree": 3, "subsample": 0.6, "colsample_bynode": 0.6},
    "monotone": {"monotone_constraints": "(1,-1,0,0,0)"},
    "raw log-odds": {"objective": "binary:logitraw"},
    "squares": {"objective": "reg:squarederror"},
    "counts": {"objective": "count:poisson"},
    "no split": {"gamma": 1e9},
}
CASES = [
    (family, name, category)
    for family, names in (("lightgbm", LIGHTGBM), ("xgboost", XGBOOST))
    for name in names
    for category in (False, True)
    if not (category and name == "exact")  # XGBoost's exact method takes no categories
]


def assert_equal(family: str, artifact: bytes, rows: Matrix) -> PackedEngine:
    native = native_engine(family, artifact)
    packed = pack_here(native, artifact)
    choice = choose(native, packed, artifact, "cpu", 64)
    assert choice.fallback is None
    assert choice.packed is not None
    assert choice.engine is choice.packed
    for matrix in (rows, probe_rows(packed)):
        for size in (1, 7, 8, 64, len(matrix)):
            expected, found = native.margins(matrix[:size]), choice.packed.margins(matrix[:size])
            assert expected.tobytes() == found.tobytes()
    return choice.packed


@settings(max_examples=60)
@FAMILIES
@given(
    seed=st.integers(0, 10_000),
    leaves=st.sampled_from([2, 3, 8, 31, 120]),
    rounds=st.integers(1, 30),
    scale=st.sampled_from([1.0, 1e-30, 1e-38, 1e-3, 1e9, 1e15]),
    missing=st.sampled_from([0.0, 0.02, 0.5]),
    category=st.booleans(),
    eta=st.floats(0.01, 1.0),
)
def test_margins_are_the_librarys(
    family: str, seed: int, leaves: int, rounds: int, scale: float, missing: float, category: bool, eta: float
) -> None:
    rows = table(seed, scale=scale, missing=missing)
    recipe = Recipe(rounds, leaves, category, {"learning_rate": eta})
    assert_equal(family, ARTIFACTS[family](rows, recipe), rows.matrix)


@pytest.mark.parametrize(("family", "case", "category"), CASES)
def test_margins_are_the_librarys_in_every_way_of_fitting(family: str, case: str, category: bool) -> None:
    rows = table(3)
    parameters = {"lightgbm": LIGHTGBM, "xgboost": XGBOOST}[family][case]
    artifact = ARTIFACTS[family](rows, Recipe(category=category, parameters=parameters))
    assert_equal(family, artifact, rows.matrix)


@cache
def both_ways(family: str) -> tuple[NativeEngine, PackedEngine]:
    rows = table(5)
    artifact = ARTIFACTS[family](rows, Recipe(category=True))
    return native_engine(family, artifact), assert_equal(family, artifact, rows.matrix)


@FAMILIES
@settings(max_examples=60)
@given(data=st.data())
def test_any_numbers_at_all_give_the_librarys_margins(family: str, data: st.DataObject) -> None:
    native, engine = both_ways(family)
    numbers = st.one_of(
        st.floats(),
        st.floats(width=32),
        st.integers(-5, 60).map(float),
        st.sampled_from(engine.packed.forest.edges.tolist()),
    )
    drawn = np.array(data.draw(st.lists(st.lists(numbers, min_size=5, max_size=5), min_size=1, max_size=20)))
    assert native.margins(drawn).tobytes() == engine.margins(drawn).tobytes()


@FAMILIES
@pytest.mark.parametrize("category", [False, True], ids=["numbers", "categories"])
def test_a_rows_contributions_and_the_base_add_up_to_its_margin(family: str, category: bool) -> None:
    rows = table(7)
    engine = assert_equal(family, ARTIFACTS[family](rows, Recipe(40, 20, category)), rows.matrix)
    contributions = engine.contributions(rows.matrix)
    margins = engine.margins(rows.matrix)
    assert np.allclose(engine.base + contributions.sum(axis=1), margins, rtol=1e-9, atol=1e-12)
    assert (np.abs(contributions).max(axis=0) > 0).all()


@FAMILIES
def test_only_the_feature_that_is_asked_gets_the_credit(family: str) -> None:
    rows = table(8)
    label = (np.nan_to_num(rows.matrix[:, 3]) > 0.5).astype(np.float64)
    recipe = Recipe(5, 2, parameters={"learning_rate": 0.5})
    artifact = ARTIFACTS[family](type(rows)(rows.matrix, label), recipe)
    engine = assert_equal(family, artifact, rows.matrix)
    contributions = engine.contributions(rows.matrix)
    assert (contributions[:, [0, 1, 2, 4]] == 0).mean() > 0.99
    above = contributions[rows.matrix[:, 3] > 1.0, 3]
    below = contributions[rows.matrix[:, 3] < 0.0, 3]
    assert above.min() > below.max()
