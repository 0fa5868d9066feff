"""The packed walk scores only where it is proven equal; else the library does, and says why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from feature_store.errors import ContractError
from streams.models.choice import choose
from streams.models.engine import native_engine
from streams.models.libraries import lightgbm, xgboost
from streams.models.packing import pack_here
from streams.models.trees.splits import UnpackableError
from tests.support.boosters import Recipe, lightgbm_artifact, table, xgboost_artifact
from tests.support.gpu import GPU

if TYPE_CHECKING:
    from collections.abc import Callable

FAMILIES = pytest.mark.parametrize("family", ["lightgbm", "xgboost"])


def small(family: str, **parameters: Any) -> bytes:
    fit = {"lightgbm": lightgbm_artifact, "xgboost": xgboost_artifact}[family]
    return fit(table(1), Recipe(parameters=parameters))


@FAMILIES
def test_a_packed_model_that_differs_by_one_leafs_last_bit_does_not_score(family: str) -> None:
    artifact = small(family)
    native = native_engine(family, artifact)
    packed = pack_here(native, artifact)
    leaves = packed.forest.leaves
    leaves[:] = np.nextafter(leaves, np.inf)
    choice = choose(native, packed, artifact, "auto", 64)
    assert choice.engine is native
    assert choice.packed is None
    assert choice.fallback is not None
    assert f"differs from {family}" in choice.fallback


@FAMILIES
def test_auto_measures_and_says_what_it_took(family: str) -> None:
    artifact = small(family)
    native = native_engine(family, artifact)
    choice = choose(native, pack_here(native, artifact), artifact, "auto", 64)
    assert {family, f"{family}-packed"} <= set(choice.us_per_row)
    assert choice.us_per_row[choice.engine.name] == min(choice.us_per_row.values())
    assert "batches of 64" in choice.why


def _lightgbm(**parameters: Any) -> bytes:
    rows = table(2)
    label = np.arange(len(rows.label)) % parameters.get("num_class", 2)
    settings = {"verbose": -1, "num_threads": 1, "objective": "binary"} | parameters
    return lightgbm.train(settings, lightgbm.Dataset(rows.matrix, label), 5).model_to_string().encode()


def _xgboost_linear() -> bytes:
    rows = table(2)
    data = xgboost.DMatrix(np.nan_to_num(rows.matrix), rows.label)
    return bytes(xgboost.train({"booster": "gblinear", "objective": "binary:logistic"}, data, 3).save_raw())


UNPACKABLE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "linear leaves": ("lightgbm", lambda: _lightgbm(linear_tree=True), "linear"),
    "classes": ("lightgbm", lambda: _lightgbm(objective="multiclass", num_class=3), "class"),
    "averaged": (
        "lightgbm",
        lambda: _lightgbm(boosting="rf", bagging_fraction=0.5, bagging_freq=1),
        "averages",
    ),
    "dart": ("xgboost", lambda: small("xgboost", booster="dart", rate_drop=0.5), "dart"),
    "outputs": ("xgboost", lambda: small("xgboost", objective="multi:softprob", num_class=2), "one output"),
}


@pytest.mark.parametrize("case", UNPACKABLE)
def test_what_the_packed_walk_does_not_cover_is_left_to_the_library(case: str) -> None:
    family, fitted, why = UNPACKABLE[case]
    artifact = fitted()
    native = native_engine(family, artifact)
    with pytest.raises(UnpackableError, match=why) as error:
        pack_here(native, artifact)
    choice = choose(native, str(error.value), artifact, "auto", 64)
    assert choice.engine is native
    assert choice.fallback == str(error.value)


def test_a_linear_booster_is_refused_before_it_fails_on_an_event() -> None:
    with pytest.raises(ContractError, match="gblinear has no in-place predictor"):
        native_engine("xgboost", _xgboost_linear())


def test_a_lightgbm_model_on_a_gpu_is_refused_with_the_cure() -> None:
    artifact = small("lightgbm")
    native = native_engine("lightgbm", artifact)
    with pytest.raises(ContractError, match="device: auto or device: cpu, or training"):
        choose(native, pack_here(native, artifact), artifact, "cuda", 64)


@pytest.mark.parametrize(
    ("build", "module", "said"),
    [
        ({"USE_CUDA": False}, None, "xgboost-cpu"),
        ({"USE_CUDA": True}, ImportError("cupy"), "cupy-cuda12x"),
        ({"USE_CUDA": True}, RuntimeError("no driver"), "no driver"),
    ],
)
def test_a_machine_without_a_gpu_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, build: dict[str, bool], module: Exception | None, said: str
) -> None:
    def fails(name: str) -> object:
        raise module or AssertionError(name)

    artifact = small("xgboost")
    native = native_engine("xgboost", artifact)
    packed = pack_here(native, artifact)
    monkeypatch.setattr("streams.models.cuda.xgboost.build_info", lambda: build)
    monkeypatch.setattr("streams.models.cuda.import_module", fails)
    with pytest.raises(ContractError, match=said):
        choose(native, packed, artifact, "cuda", 64)
    assert choose(native, packed, artifact, "auto", 64).engine.name in {"xgboost", "xgboost-packed"}


@GPU
def test_a_gpu_gives_the_cpus_margins_within_rounding() -> None:
    artifact = small("xgboost")
    native = native_engine("xgboost", artifact)
    choice = choose(native, pack_here(native, artifact), artifact, "cuda", 64)
    assert choice.engine.name == "xgboost-cuda"
    assert choice.packed is not None
    rows = table(9).matrix
    assert np.allclose(choice.engine.margins(rows), native.margins(rows), atol=1e-4)
    assert "xgboost-cuda" in choose(native, pack_here(native, artifact), artifact, "auto", 64).us_per_row


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("left_child", "0", "are not trees"),
        ("left_child", "1", "are not trees"),
        ("left_child", "7777777", "outside"),
        ("split_feature", "77", "outside"),
    ],
)
def test_a_model_whose_nodes_are_no_trees_is_refused_before_its_library_walks_it(
    field: str, value: str, why: str
) -> None:
    text = small("lightgbm").decode()
    damaged = re.sub(rf"(?m)^{field}=-?\d+", f"{field}={value}", text, count=1)
    assert damaged != text
    native = native_engine("lightgbm", small("lightgbm"))
    with pytest.raises(ContractError, match=why):
        pack_here(native, damaged.encode())
