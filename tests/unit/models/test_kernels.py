"""What is compiled once serves every model and every matrix: nothing is compiled while events wait."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from streams.models.engine import native_engine
from streams.models.packing import pack_here
from streams.models.trees import forest, kernels
from streams.models.trees.walk import PackedEngine
from streams.models.trees.warm import warm
from streams.models.trees.wire import from_bytes, to_bytes
from tests.support.boosters import Recipe, lightgbm_artifact, table, xgboost_artifact

ARTIFACTS = {"lightgbm": lightgbm_artifact, "xgboost": xgboost_artifact}


def compiled() -> list[int]:
    return [len(cast("Any", kernel).signatures) for kernel in (kernels.add_margins, kernels.add_paths)]


@pytest.mark.parametrize("family", ARTIFACTS)
@pytest.mark.parametrize("category", [False, True])
def test_no_model_and_no_matrix_needs_a_kernel_of_its_own(family: str, category: bool) -> None:
    warm()
    before = compiled()
    rows = table(1)
    artifact = ARTIFACTS[family](rows, Recipe(category=category))
    packed = pack_here(native_engine(family, artifact), artifact)
    read_only = rows.matrix.copy()
    read_only.flags.writeable = False
    wide = np.column_stack([rows.matrix, rows.matrix])
    for engine in (PackedEngine("here", packed), PackedEngine("child", from_bytes(to_bytes(packed)))):
        expected = engine.margins(rows.matrix).tobytes()
        for matrix in (read_only, np.asfortranarray(rows.matrix), wide[:, :5], rows.matrix.astype(object)):
            assert engine.margins(cast("Any", matrix)).tobytes() == expected
            assert np.isfinite(engine.contributions(cast("Any", matrix))).all()
        assert len(engine.margins(rows.matrix[:0])) == 0
        assert engine.contributions(rows.matrix[:0]).shape == (0, 5)
    assert compiled() == before


@pytest.mark.parametrize(
    "name", ["FEATURE", "FIRST_COLUMN", "END_COLUMN", "FIRST_EDGE", "TOP_STEP", "CATEGORIES"]
)
def test_the_kernels_know_the_layout(name: str) -> None:
    assert getattr(kernels, name) == getattr(forest, name)
    assert kernels.FIRST_CODE == forest.FIRST_CODE


def test_a_chain_of_splits_is_walked_to_its_end() -> None:
    rows = table(2, rows=3_000, missing=0.0)
    steep = type(rows)(np.sort(rows.matrix, axis=0), np.exp2(np.clip(np.arange(3_000.0) - 2_960, 0, None)))
    finely = {"objective": "regression", "min_data_in_leaf": 1, "max_bin": 3_000, "min_data_in_bin": 1}
    recipe = Recipe(4, 100, parameters=finely)
    artifact = lightgbm_artifact(steep, recipe)
    native = native_engine("lightgbm", artifact)
    packed = pack_here(native, artifact)
    farthest, most = packed.forest.roots[:, 1], packed.forest.roots[:, 2]
    assert farthest.min() > 15
    assert (farthest > most).any()
    for count in (1, 9, 3_000):
        matrix = steep.matrix[::-1][:count]
        assert PackedEngine("p", packed).margins(matrix).tobytes() == native.margins(matrix).tobytes()
