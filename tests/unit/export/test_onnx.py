"""A model as ONNX scores as the scorer does, by every calibration, or is not given out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest

from feature_store.errors import ContractError
from streams.messages import ArtifactInfo, Calibration, FeatureRef, Manifest
from streams.messages.model import Knot
from streams.models.calibration import scores_of
from streams.models.engine import native_engine
from tests.support.boosters import Recipe, lightgbm_artifact, table, xgboost_artifact
from training.export import onnx_graph
from training.export.onnx_export import FURTHEST, export_onnx

if TYPE_CHECKING:
    from numpy.typing import NDArray

WRITERS = {"lightgbm": lightgbm_artifact, "xgboost": xgboost_artifact}
CALIBRATIONS = {
    "platt": Calibration(1.3, -0.4),
    "beta": Calibration(0.9, 0.2, slope_below=1.4),
    "knots": Calibration(0.5, knots=[Knot(-2.0, -3.0), Knot(-0.5, -1.0), Knot(0.5, 0.75), Knot(2.0, 4.0)]),
    "two knots": Calibration(0.5, knots=[Knot(-0.5, 0.0), Knot(0.5, 1.0)]),
}
FAMILIES = pytest.mark.parametrize("family", sorted(WRITERS))


def manifest_of(family: str, artifact: bytes, calibration: Calibration) -> Manifest:
    features = [FeatureRef(f"amount {i}", f"hash{i}") for i in range(5)]
    return Manifest(
        version="v1", pipeline="payments", family=family,  # type: ignore[arg-type]
        features=features, artifact=ArtifactInfo.of(artifact), calibration=calibration, trained_at="",
        fitted_from="", fitted_until="", metrics={}, rows=1, frauds=1,
    )  # fmt: skip


def run(model: bytes, rows: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    found = session.run(names, {"features": rows.astype(np.float32)})
    return {name: np.asarray(values) for name, values in zip(names, found, strict=True)}


@FAMILIES
@pytest.mark.parametrize("kind", sorted(CALIBRATIONS))
def test_margin_and_score_are_the_scorers(family: str, kind: str) -> None:
    calibration = CALIBRATIONS[kind]
    artifact = WRITERS[family](table(1), Recipe(rounds=30))
    made = export_onnx(manifest_of(family, artifact, calibration), artifact)
    assert made.furthest <= FURTHEST
    rows = table(2, rows=3_000).matrix.astype(np.float32).astype(np.float64)
    margins = native_engine(family, artifact).margins(rows)
    found = run(made.model, rows)
    np.testing.assert_allclose(found["margin"].ravel(), margins, atol=1e-5)
    np.testing.assert_allclose(found["score"].ravel(), scores_of(margins, calibration), atol=1e-5)


@FAMILIES
def test_amounts_at_a_threshold_go_where_they_went(family: str) -> None:
    """Two-decimal amounts are no 32-bit numbers: rounding them must not take them across a threshold."""
    random = np.random.default_rng(3)
    rows = table(1)
    rows.matrix[:, 1] = random.integers(0, 30_000, len(rows.label)) / 100
    artifact = WRITERS[family](rows, Recipe(rounds=30))
    made = export_onnx(manifest_of(family, artifact, Calibration()), artifact)
    asked = rows.matrix.copy()
    asked[:, 1] = random.integers(0, 30_000, len(asked)) / 100
    asked[:, [0, 2, 3, 4]] = asked[:, [0, 2, 3, 4]].astype(np.float32)
    margins = native_engine(family, artifact).margins(asked)
    np.testing.assert_allclose(run(made.model, asked)["margin"].ravel(), margins, atol=1e-5)


def test_the_file_says_what_it_is() -> None:
    artifact = xgboost_artifact(table(1), Recipe())
    made = export_onnx(manifest_of("xgboost", artifact, Calibration()), artifact)
    told = {each.key: each.value for each in onnx.load_from_string(made.model).metadata_props}
    assert told["version"] == "v1"
    assert [each["name"] for each in msgspec.json.decode(told["features"])][:2] == ["amount 0", "amount 1"]
    assert "float32" in told["input"]


@pytest.mark.parametrize(
    ("recipe", "why"),
    [
        (Recipe(category=True), "categorical"),
        (Recipe(parameters={"zero_as_missing": True}), "zero for missing"),
        (Recipe(parameters={"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}), "averages"),
    ],
)
def test_what_onnx_has_no_word_for_is_refused(recipe: Recipe, why: str) -> None:
    artifact = lightgbm_artifact(table(1), recipe)
    with pytest.raises(ContractError, match=why):
        export_onnx(manifest_of("lightgbm", artifact, Calibration()), artifact)


def test_a_damaged_artifact_is_refused_before_a_library_sees_it() -> None:
    artifact = lightgbm_artifact(table(1), Recipe())
    with pytest.raises(ContractError, match="not the one of its manifest"):
        export_onnx(manifest_of("lightgbm", artifact, Calibration()), artifact[:-100])


def test_a_file_that_scores_otherwise_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = lightgbm_artifact(table(1), Recipe())
    true = onnx_graph.run_graph
    monkeypatch.setattr(
        "training.export.onnx_export.run_graph", lambda model, rows: true(model, rows) + 2 * FURTHEST
    )
    with pytest.raises(ContractError, match="away from the scorer's"):
        export_onnx(manifest_of("lightgbm", artifact, Calibration()), artifact)
