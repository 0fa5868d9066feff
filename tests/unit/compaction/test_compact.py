"""Compaction keeps its promises on boosters of both families, small and odd."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_store.declaration.fitting import CompactionSpec
from streams.messages import ArtifactInfo, Calibration, FeatureRef, Manifest
from streams.models.engine import native_engine
from streams.models.exact import ExactModel
from streams.models.libraries import lightgbm, xgboost
from streams.models.packing import pack_here
from streams.models.trees.walk import PackedEngine
from tests.support.boosters import Recipe, Table, lightgbm_artifact, table, xgboost_artifact
from tests.support.labelled import labelled
from training.compaction.compact import Compacted, compact
from training.compaction.dropping import LEAST_FRAUDS, contributions, unpaid_trees
from training.compaction.merging import merge
from training.compaction.plan import as_it_is

if TYPE_CHECKING:
    from feature_store.expressions import Matrix
    from streams.models.engine import Vector
    from training.dataset.events import LabelledEvents

WRITERS = {"lightgbm": lightgbm_artifact, "xgboost": xgboost_artifact}
FAMILIES = sorted(WRITERS)
OBJECTIVES = {"lightgbm": "binary", "xgboost": "binary:logistic"}
NOTHING = CompactionSpec()


def events(rows: Table) -> LabelledEvents:
    return labelled(rows.label == 1, rows.matrix)


def margins(family: str, artifact: bytes, matrix: Matrix) -> Vector:
    """By the library; the packed walk says the same."""
    native = native_engine(family, artifact)
    found = native.margins(matrix)
    walk = PackedEngine(family, pack_here(native, artifact))
    np.testing.assert_array_equal(found, walk.margins(matrix))
    return found


@pytest.fixture(scope="module", params=[*FAMILIES, "lightgbm with categories", "xgboost with categories"])
def fitted(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    family, _, categories = request.param.partition(" with ")
    return family, WRITERS[family](table(1), Recipe(rounds=40, category=bool(categories)))


def compacted(fitted: tuple[str, bytes], spec: CompactionSpec) -> Compacted:
    family, artifact = fitted
    return compact(artifact, family, events(table(2)), spec, seed=1)


def test_without_tolerance_no_margin_moves_by_a_bit(fitted: tuple[str, bytes]) -> None:
    family, artifact = fitted
    found = compacted(fitted, NOTHING)
    matrix = table(3, rows=2_000).matrix
    np.testing.assert_array_equal(margins(family, found.artifact, matrix), margins(family, artifact, matrix))
    assert found.report.bound == 0
    assert found.report.before is not None
    assert found.report.before.trees == 40
    assert (len(found.artifact) < len(artifact)) == (family == "lightgbm")


@pytest.mark.parametrize("tolerance", [0.02, 0.3, 5.0])
def test_margins_stay_within_the_proven_bound(fitted: tuple[str, bytes], tolerance: float) -> None:
    family, artifact = fitted
    found = compacted(fitted, CompactionSpec(tolerance=tolerance))
    matrix = table(3, rows=2_000).matrix
    apart = np.abs(margins(family, found.artifact, matrix) - margins(family, artifact, matrix))
    assert apart.max() <= found.report.bound <= tolerance


def test_a_larger_tolerance_leaves_fewer_nodes(fitted: tuple[str, bytes]) -> None:
    reports = [compacted(fitted, CompactionSpec(tolerance=each)).report for each in (0.0, 1.0, 1_000.0)]
    nodes = [report.after.nodes for report in reports if report.after is not None]
    assert nodes[0] > nodes[1] > nodes[2] == 40  # of every tree one leaf


def test_leaves_that_are_equal_are_merged_without_tolerance(fitted: tuple[str, bytes]) -> None:
    family, artifact = fitted
    splits = native_engine(family, artifact).splits(artifact)
    pairs = [
        (left, right)
        for left, right in zip(splits.left.tolist(), splits.right.tolist(), strict=True)
        if left >= 0 and splits.left[left] < 0 and splits.left[right] < 0
    ]
    value = splits.value.copy()
    value[[right for _, right in pairs]] = value[[left for left, _ in pairs]]
    equal = replace(splits, value=value)
    plan = merge(equal, as_it_is(equal), 0.0)
    assert plan.bound == 0
    assert int(plan.leaf.sum() - as_it_is(equal).leaf.sum()) >= len(pairs)


def test_trees_that_do_not_pay_are_dropped(fitted: tuple[str, bytes]) -> None:
    family, artifact = fitted
    found = compacted(fitted, CompactionSpec(drop_trees=True))
    before, after = found.report.before, found.report.after
    assert before is not None
    assert after is not None
    assert 0 < found.report.dropped == len(found.dropped) == before.trees - after.trees
    assert after.log_loss < before.log_loss
    splits = native_engine(family, artifact).splits(artifact)
    matrix = table(3).matrix
    kept = np.delete(contributions(artifact, splits, matrix), found.dropped, axis=1)
    expected = kept.sum(axis=1) + splits.base
    np.testing.assert_allclose(margins(family, found.artifact, matrix), expected, atol=1e-5)


def test_a_refit_leaves_out_the_trees_it_is_told(fitted: tuple[str, bytes]) -> None:
    family, artifact = fitted
    spec = CompactionSpec(drop_trees=True)
    found = compact(artifact, family, events(table(2)), spec, seed=1, dropped=(0, 3, 39, 77))
    assert found.dropped == (0, 3, 39)
    assert len(native_engine(family, found.artifact).splits(found.artifact).roots) == 37
    assert found.report.as_metrics() == {}, "what is only done again is not measured again"


def test_few_frauds_say_nothing_about_trees() -> None:
    rows = table(2)
    few = replace(events(rows), fraud=np.arange(len(rows.label)) < LEAST_FRAUDS - 1)
    artifact = lightgbm_artifact(table(1), Recipe())
    assert unpaid_trees(artifact, native_engine("lightgbm", artifact).splits(artifact), few, 1) == []


def test_a_model_that_cannot_be_packed_stays_as_it_is() -> None:
    artifact = lightgbm_artifact(
        table(1), Recipe(parameters={"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5})
    )
    found = compact(artifact, "lightgbm", events(table(2)), CompactionSpec(tolerance=1), seed=1)
    assert found.artifact == artifact
    assert "averages" in found.report.skipped
    assert found.report.as_metrics() == {}


def test_exact_reasons_are_the_same(fitted: tuple[str, bytes]) -> None:
    family, artifact = fitted
    matrix = table(3, rows=50).matrix

    def reasons(found: bytes) -> Matrix:
        features = [FeatureRef(f"f{i}", "h") for i in range(matrix.shape[1])]
        manifest = Manifest(
            version="v", pipeline="p", family=family,  # type: ignore[arg-type]
            features=features, artifact=ArtifactInfo.of(found), calibration=Calibration(), trained_at="",
            fitted_from="", fitted_until="", metrics={}, rows=1, frauds=1,
        )  # fmt: skip
        return ExactModel(manifest, found).attribute(matrix).contributions

    np.testing.assert_array_equal(reasons(compacted(fitted, NOTHING).artifact), reasons(artifact))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_compacted_model_can_be_fitted_further(family: str) -> None:
    rows = table(1)
    artifact = WRITERS[family](rows, Recipe(rounds=10))
    smaller = compact(artifact, family, events(table(2)), CompactionSpec(drop_trees=True), seed=1)
    assert smaller.report.after is not None
    parameters = {"objective": OBJECTIVES[family], "nthread": 1, "verbosity": 0}
    if family == "lightgbm":
        start = lightgbm.Booster(model_str=smaller.artifact.decode())
        data = lightgbm.Dataset(rows.matrix, rows.label)
        rounds = lightgbm.train(parameters, data, 5, init_model=start).num_trees()
    else:
        begun = xgboost.Booster({"nthread": 1})
        begun.load_model(bytearray(smaller.artifact))
        matrix = xgboost.DMatrix(
            rows.matrix, rows.label, feature_types=["q"] * rows.matrix.shape[1], nthread=1
        )
        rounds = xgboost.train(parameters, matrix, 5, xgb_model=begun).num_boosted_rounds()
    assert rounds == smaller.report.after.trees + 5


def test_the_report_tells_both_sizes_as_metrics() -> None:
    artifact = lightgbm_artifact(table(1), Recipe())
    metrics = compact(artifact, "lightgbm", events(table(2)), NOTHING, seed=1).report.as_metrics()
    assert metrics["compaction_trees_before"] == metrics["compaction_trees_after"] == 12
    assert metrics["compaction_bytes_after"] < metrics["compaction_bytes_before"] == len(artifact)
    assert metrics["compaction_us_per_row_after"] > 0
