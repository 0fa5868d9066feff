"""A GPU scores as the CPU does, is really asked, and is taken by `auto` only where it is the fastest."""

from __future__ import annotations

import threading
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from feature_store.errors import ContractError
from streams.messages import FeatureRef
from streams.models import choice, cuda
from streams.models.champion import load_champion
from streams.models.choice import choose
from streams.models.cuda import CLOSE, CudaEngine, device_of
from streams.models.engine import native_engine
from streams.models.libraries import xgboost
from streams.models.named import named_engine
from streams.models.packing import pack_here
from streams.models.trees.probes import odd_rows, probe_rows
from tests.support.boosters import Recipe, Table, table, xgboost_artifact
from tests.support.gpu import GPU
from tests.support.models import manifest_of
from tests.support.training_snapshots import declare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.messages import Manifest
    from streams.models.engine import NativeEngine
    from streams.models.trees.forest import Packed

pytestmark = GPU

BATCHES = (1, 2, 63, 64, 257, 2_048)


def model(seed: int = 1, *, features: int = 5, **parameters: Any) -> bytes:
    rows = table(seed, features=features)
    return xgboost_artifact(rows, Recipe(category=seed % 2 == 1, parameters=parameters))


def loaded(artifact: bytes) -> tuple[NativeEngine, Packed]:
    native = native_engine("xgboost", artifact)
    return native, pack_here(native, artifact)


def published(artifact: bytes) -> Manifest:
    """Of the three features that the small pipeline declares."""
    manifest = manifest_of(declare(), "v1", artifact)
    return msgspec.structs.replace(manifest, family="xgboost")


def apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    assert one.shape == other.shape
    assert one.dtype == other.dtype == np.float64
    return float(np.abs(one - other).max())


@pytest.mark.parametrize("seed", range(16))
def test_margins_are_the_cpus_within_what_is_declared(seed: int) -> None:
    random = np.random.default_rng(seed)
    features, rounds = int(random.integers(10, 301)), int(random.integers(1, 120))
    rows = table(seed, features=features, rows=2_048)
    recipe = Recipe(rounds, leaves=int(random.integers(2, 64)), category=seed % 2 == 1)
    artifact = xgboost_artifact(rows, recipe)
    native, packed = loaded(artifact)
    engine = CudaEngine(artifact)
    assert engine.features == native.features == features
    for asked in (rows.matrix, probe_rows(packed), odd_rows(features), np.full((3, features), np.nan)):
        assert apart(engine.margins(asked), native.margins(asked)) <= CLOSE
    for batch in BATCHES:
        first = int(random.integers(0, len(rows.matrix) - batch + 1))
        asked = rows.matrix[first : first + batch]
        assert apart(engine.margins(asked), native.margins(asked)) <= CLOSE


def test_a_thousand_trees_with_large_margins_are_as_close() -> None:
    rows = table(5, rows=2_048)
    artifact = xgboost_artifact(rows, Recipe(1_000, leaves=32, parameters={"eta": 0.5, "lambda": 0.0}))
    margins = native_engine("xgboost", artifact).margins(rows.matrix)
    assert np.abs(margins).max() > 10
    assert apart(CudaEngine(artifact).margins(rows.matrix), margins) <= CLOSE


def test_no_rows_have_no_margins() -> None:
    margins = CudaEngine(model()).margins(np.empty((0, 5)))
    assert margins.shape == (0,)
    assert margins.dtype == np.float64


@pytest.mark.parametrize(
    "form", [np.asfortranarray, lambda m: m[::-1], lambda m: np.repeat(m, 2, axis=1)[:, ::2]]
)
def test_rows_may_lie_in_memory_as_they_like(form: Any) -> None:
    engine, rows = CudaEngine(model()), table(3).matrix
    assert np.array_equal(engine.margins(form(rows)), engine.margins(np.ascontiguousarray(form(rows))))


def test_a_margin_is_the_same_alone_in_a_batch_again_and_in_another_thread() -> None:
    """So that a decision is explained to the digit by another process later."""
    artifact, rows = model(features=40), table(4, features=40).matrix
    engine, again = CudaEngine(artifact), named_engine("xgboost-cuda", published(artifact), artifact)
    whole = engine.margins(rows)
    found: list[NDArray[np.float64]] = []
    other = threading.Thread(target=lambda: found.append(engine.margins(rows)))
    other.start()
    other.join()
    alone = np.concatenate([engine.margins(rows[at : at + 1]) for at in range(64)])
    assert np.array_equal(found[0], whole)
    assert np.array_equal(again.margins(rows), whole)
    assert np.array_equal(alone, whole[:64])


def test_rows_are_predicted_where_they_lie() -> None:
    """XGBoost says it when rows and model are on different devices: the rows on the CPU show that it does."""
    engine, rows = CudaEngine(model()), table(5).matrix
    booster = xgboost.Booster({"device": "cuda"})
    booster.load_model(bytearray(model()))
    with warnings.catch_warnings(record=True) as of_the_wrong_way:
        warnings.simplefilter("always")
        booster.inplace_predict(rows.astype(np.float32), predict_type="margin")
    assert any("mismatched devices" in str(each.message) for each in of_the_wrong_way)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        engine.margins(rows)
    assert [str(each.message) for each in heard] == []


def test_an_engine_that_is_not_on_the_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = CudaEngine(model())
    with monkeypatch.context() as patch:
        patch.setattr(xgboost.Booster, "inplace_predict", lambda *_, **__: np.zeros(3))
        with pytest.raises(ContractError, match="no device array"):
            engine.margins(table(6).matrix)
    monkeypatch.setattr(cuda, "device_of", lambda _booster: "cpu")
    with pytest.raises(ContractError, match="runs on 'cpu' where cuda was asked for"):
        CudaEngine(model())


def test_a_damaged_model_is_refused() -> None:
    with pytest.raises(ContractError, match="cannot be loaded on the GPU"):
        CudaEngine(model()[:-200])


def test_a_gpus_own_error_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> object:
        raise xgboost.core.XGBoostError("out of memory\nstack trace")

    engine = CudaEngine(model())
    monkeypatch.setattr(xgboost.Booster, "inplace_predict", fails)
    with pytest.raises(ContractError, match=r"cannot predict on the GPU: out of memory$"):
        engine.margins(table(6).matrix)


@pytest.mark.parametrize("fastest", ["xgboost", "xgboost-packed", "xgboost-cuda"])
def test_auto_measures_the_gpu_too_and_takes_the_fastest(
    monkeypatch: pytest.MonkeyPatch, fastest: str
) -> None:
    artifact = model()
    native, packed = loaded(artifact)
    really = choose(native, packed, artifact, "auto", 64)
    assert set(really.us_per_row) == {"xgboost", "xgboost-packed", "xgboost-cuda"}
    assert all(cost > 0 for cost in really.us_per_row.values())
    monkeypatch.setattr(choice, "_us_per_row", lambda engine, _rows: 1.0 if engine.name == fastest else 2.0)
    taken = choose(native, packed, artifact, "auto", 64)
    assert (taken.engine.name, taken.why) == (fastest, "the fastest on batches of 64")
    assert taken.packed is not None


def test_auto_goes_on_without_a_gpu_that_gives_other_margins(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = model()
    native, packed = loaded(artifact)
    monkeypatch.setattr(CudaEngine, "margins", lambda _self, rows: native.margins(rows) + 1)
    taken = choose(native, packed, artifact, "auto", 64)
    assert set(taken.us_per_row) == {"xgboost", "xgboost-packed"}
    assert "without the GPU: the GPU's margins are 1.0" in taken.why
    with pytest.raises(ContractError, match=r"the GPU's margins are 1\.0\d* away"):
        choose(native, packed, artifact, "cuda", 64)


def test_what_the_packed_walk_does_not_cover_goes_on_under_auto() -> None:
    artifact, rows = model(booster="dart", rate_drop=0.5), table(2).matrix
    native = native_engine("xgboost", artifact)
    taken = choose(native, "its booster is dart", artifact, "auto", 64)
    assert set(taken.us_per_row) == {"xgboost", "xgboost-cuda"}
    assert taken.packed is None
    assert taken.fallback == "its booster is dart"
    assert apart(taken.engine.margins(rows), native.margins(rows)) <= CLOSE
    assert apart(CudaEngine(artifact).margins(rows), native.margins(rows)) <= CLOSE


@pytest.mark.parametrize("outside", [False, True])
def test_a_champion_on_a_gpu_keeps_the_packed_walk_for_its_paths(*, outside: bool) -> None:
    pipeline, wide = declare(), table(7)
    rows = wide.matrix[:, :3]
    artifact = xgboost_artifact(Table(rows, wide.label), Recipe(category=True))
    champion = load_champion(
        published(artifact), artifact, pipeline.feature_vector, device="cuda", outside=outside, exact=True
    )
    on_cpu = load_champion(published(artifact), artifact, pipeline.feature_vector, device="cpu")
    assert (champion.engine.name, on_cpu.engine.name) == ("xgboost-cuda", "xgboost-packed")
    assert champion.fallback is None
    margins, some = champion.margins(rows), np.arange(50)
    assert apart(margins, on_cpu.margins(rows)) <= CLOSE
    paths = champion.contributions(rows, some)
    assert paths is not None
    assert champion.base is not None
    assert apart(paths.sum(axis=1) + champion.base, margins[some]) <= CLOSE
    assert champion.exact is not None
    exact = champion.exact.attribute(rows[some])
    assert apart(exact.contributions.sum(axis=1) + exact.base, margins[some]) <= 10 * CLOSE
    assert champion.manifest.features == [
        FeatureRef(each.name, each.hash) for each in pipeline.feature_vector
    ]


def test_the_device_is_what_xgboost_says() -> None:
    booster = xgboost.Booster({"device": "cuda"}, model_file=bytearray(model()))
    assert device_of(booster).startswith("cuda")
    booster.set_param({"device": "cpu"})
    assert device_of(booster) == "cpu"
    rows = cuda.on_device(np.array([[1.0, np.nan, 1e300]]))
    assert isinstance(rows, import_module("cupy").ndarray)
    assert rows.dtype == np.float32
    assert np.isinf(rows.get()[0, 2])
