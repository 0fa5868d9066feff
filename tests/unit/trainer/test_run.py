from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from feature_store.errors import ContractError
from feature_store.units import to_text
from streams.models.champion import load_champion
from tests.support.training_snapshots import AS_OF, DAY, declare, payments
from training.contract import ARTIFACT, RESULT, ChampionRef, TrainingResult, load_result
from training.trainer.run import run_training

if TYPE_CHECKING:
    from pathlib import Path

    from streams.messages import Manifest
    from tests.unit.trainer.conftest import MakeRun

JUDGED_FROM = AS_OF - 4 * DAY
UNDRAWN = pytest.mark.usefixtures("undrawn")
ALGORITHMS = pytest.mark.parametrize("algorithm", ["lightgbm", "xgboost"])


def quiet(step: str, **numbers: float) -> None:
    """Nobody hears of progress."""


def run(folder: Path, **training: Any) -> TrainingResult:
    result = run_training(folder, declare(**training), quiet)
    assert load_result(folder) == result
    return result


def manifest_of(result: TrainingResult) -> Manifest:
    assert result.manifest is not None, result.reasons
    return result.manifest


def as_champion(folder: Path, **changes: Any) -> ChampionRef:
    """What the run in ``folder`` released, as the champion of a later one."""
    manifest = msgspec.structs.replace(manifest_of(load_result(folder)), **changes)
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    return ChampionRef(manifest.version, str(folder / "manifest.json"), str(folder / ARTIFACT))


@ALGORITHMS
def test_good_data_pass_the_gate_and_leave_a_model_that_a_worker_takes(
    make_run: MakeRun, algorithm: str
) -> None:
    pipeline = declare(algorithm=algorithm)
    folder = make_run(payments(pipeline))
    result = run(folder, algorithm=algorithm)
    assert result.verdict == "passed", result.reasons
    assert result.metrics["average_precision"] > 0.6
    artifact = (folder / ARTIFACT).read_bytes()
    manifest = manifest_of(result)
    assert manifest.artifact.sha256 == hashlib.sha256(artifact).hexdigest()
    assert (result.fitted_until, result.judged_from) == (to_text(JUDGED_FROM), to_text(JUDGED_FROM))
    assert manifest.fitted_until == result.judged_until == to_text(JUDGED_FROM + DAY)
    assert (manifest.rows, manifest.frauds) == (
        result.rows + result.metrics["rows"],
        result.frauds + result.metrics["frauds"],
    )
    assert result.metrics["refit_correlation"] > 0.8
    assert manifest.feature_bins is not None
    assert list(manifest.feature_bins.features) == [feature.name for feature in manifest.features]
    assert manifest.feature_bins.events == manifest.rows
    model = load_champion(manifest, artifact, pipeline.feature_vector)
    low, high = model.scores(model.margins(np.array([[20.0, 40.0, 0.5], [170.0, 340.0, 0.5]])))
    assert low < 0.1
    assert high > 0.5


@UNDRAWN
@ALGORITHMS
def test_the_same_snapshot_gives_the_same_bytes(make_run: MakeRun, algorithm: str) -> None:
    snapshot = payments(declare())
    artifacts = []
    for version in ("v1", "v2"):
        folder = make_run(snapshot, version)
        run(folder, algorithm=algorithm)
        artifacts.append((folder / ARTIFACT).read_bytes())
    assert artifacts[0] == artifacts[1]


@UNDRAWN
@pytest.mark.parametrize("against_champion", [False, True])
@ALGORITHMS
def test_labels_without_meaning_are_refused(
    make_run: MakeRun, passed: Path, algorithm: str, against_champion: bool
) -> None:
    champion = as_champion(passed) if against_champion else None
    for seed in range(3):
        folder = make_run(payments(declare(), seed=seed), f"shuffled{seed}", champion=champion, shuffle=True)
        result = run(folder, algorithm=algorithm, seed=seed)
        assert result.verdict == "refused"
        assert "no_better_than_chance: on the validation slice" in result.reasons[0]
        assert any("worse_than_champion" in reason for reason in result.reasons) == against_champion
        assert result.manifest is None
        assert not (folder / ARTIFACT).exists()


@pytest.mark.parametrize(
    ("training", "word"),
    [
        ({"min_events": 5_000}, "too_few_events: 2,4"),
        ({"min_frauds": 5_000}, "too_few_frauds: 1"),
        ({"gate": {"min_frauds": 500}}, "too_few_judged_frauds: "),
    ],
)
def test_too_little_is_refused_with_numbers(make_run: MakeRun, training: dict[str, Any], word: str) -> None:
    result = run(make_run(payments(declare())), **training)
    assert (result.verdict, result.too_little_data) == ("refused", True)
    assert [reason for reason in result.reasons if reason.startswith(word)]


def test_an_empty_snapshot_is_too_little(make_run: MakeRun) -> None:
    result = run(make_run(payments(declare(), rows=0)))
    assert result.too_little_data
    assert len(result.reasons) == 3


@UNDRAWN
def test_a_champion_on_a_par_lets_the_challenger_pass(make_run: MakeRun, passed: Path) -> None:
    result = run(make_run(payments(declare()), "v2", champion=as_champion(passed)))
    assert result.verdict == "passed"
    assert result.champion_metrics["average_precision"] == result.metrics["average_precision"]
    assert result.champion_metrics["live"] == 0
    assert "by its recipe, fitted again" in result.reasons[0]


@UNDRAWN
def test_a_challenger_below_the_champions_live_scores_is_refused(make_run: MakeRun, passed: Path) -> None:
    snapshot = payments(declare())
    frauds = {outcome["event_id"] for outcome in snapshot.outcomes}
    for row in snapshot.scored:
        row.update(model="passed", margin=1.0 if row["event_id"] in frauds else -1.0)
    result = run(make_run(snapshot, champion=as_champion(passed)))
    assert result.champion_metrics["average_precision"] == 1
    assert result.champion_metrics["live"] == 1
    assert result.verdict == "refused"
    assert [reason.split(":")[0] for reason in result.reasons] == ["worse_than_champion"]


@UNDRAWN
def test_a_champion_is_not_judged_on_what_it_was_fitted_on(make_run: MakeRun) -> None:
    snapshot = payments(declare(), rows=10_000)
    first = make_run(snapshot, "v1")
    run(first)
    half = JUDGED_FROM + DAY // 2
    until_half = as_champion(first, fitted_until=to_text(half), recipe=None)
    second = run(make_run(snapshot, "v2", champion=until_half))
    judged = [row for row in snapshot.scored if half < row["event_time"] <= JUDGED_FROM + DAY]
    assert second.champion_metrics["rows"] == len(judged) < second.metrics["rows"]
    until_now = as_champion(first, fitted_until=to_text(AS_OF), recipe=None)
    third = run(make_run(snapshot, "v3", champion=until_now))
    assert third.verdict == "refused"
    assert "no_verdict: 0 frauds among the 0 judged events" in third.reasons[0]


@UNDRAWN
def test_a_champion_whose_features_changed_does_not_stop_the_nights(make_run: MakeRun, passed: Path) -> None:
    first_feature, *others = manifest_of(load_result(passed)).features
    changed = msgspec.structs.replace(first_feature, hash="0" * 16)
    champion = as_champion(passed, features=[changed, *others])
    result = run(make_run(payments(declare()), "v2", champion=champion))
    assert result.verdict == "passed"
    assert "no scorer can run any more" in result.reasons[-1]
    assert changed.name in result.reasons[-1]


def test_a_damaged_champion_never_reaches_the_library(make_run: MakeRun, passed: Path) -> None:
    snapshot = payments(declare())
    champion = as_champion(passed)
    artifact = (passed / ARTIFACT).read_bytes()
    for damaged, word in ((artifact[:-1], "bytes, expected"), (artifact[:-1] + b"x", "SHA-256")):
        (passed / ARTIFACT).write_bytes(damaged)
        folder = make_run(snapshot, "v2", champion=champion)
        with pytest.raises(ContractError, match=word):
            run_training(folder, declare(), quiet)
        assert not (folder / RESULT).exists()


@UNDRAWN
def test_a_feature_that_old_rows_lack_is_missing_there(make_run: MakeRun) -> None:
    snapshot = payments(declare())
    for row in snapshot.scored[:1_500]:
        row["noise"] = None
    assert run(make_run(snapshot)).verdict == "passed"


@UNDRAWN
def test_the_control_group_is_weighed_and_reported(make_run: MakeRun) -> None:
    snapshot = payments(declare())
    for row in snapshot.scored[::20]:
        row.update(policy_action="decline", propensity=0.01)
    metrics = run(make_run(snapshot)).metrics
    assert metrics["weight_cap"] == 50
    assert 10 < metrics["weights_capped"] < 40
    assert metrics["effective_rows"] < metrics["rows"] / 2


def test_a_request_for_another_pipeline_is_an_error(make_run: MakeRun) -> None:
    folder = make_run(payments(declare(), rows=0))
    other = declare().model_copy(update={"pipeline": "transfers"})
    with pytest.raises(ContractError, match=r"'payments'.*'transfers'"):
        run_training(folder, other, quiet)


def test_a_snapshot_that_is_no_parquet_is_an_error(make_run: MakeRun) -> None:
    folder = make_run(payments(declare(), rows=0))
    (folder / "snapshot" / "outcomes.parquet").write_bytes(b"not parquet")
    with pytest.raises(ContractError, match="not a usable snapshot"):
        run_training(folder, declare(), quiet)
