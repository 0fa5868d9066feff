from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from feature_store.errors import ConfigError, ContractError
from feature_store.units import to_text
from streams.messages import ArtifactInfo, Manifest
from streams.models.engine import native_engine
from tests.support.labelled import labelled
from tests.support.training_snapshots import AS_OF, DAY, START, declare
from training.contract import TrainingRequest
from training.dataset.split import Split, split_in_time
from training.fitting import bins, device, lightgbm_data
from training.fitting.algorithms import MOST_ROUNDS
from training.fitting.beginning import NIGHTLY_ROUNDS, begin
from training.fitting.challenger import Challenger, fit_challenger, refit_challenger, refit_model
from training.fitting.device import training_device
from training.fitting.sampling import sampled

if TYPE_CHECKING:
    from training.dataset.events import LabelledEvents

REQUEST = TrainingRequest("r", "payments", AS_OF, "v1", "test")
ALGORITHMS = pytest.mark.parametrize("algorithm", ["lightgbm", "xgboost"])


def events(rows: int = 4_000, seed: int = 1) -> LabelledEvents:
    random = np.random.default_rng(seed)
    amount = random.gamma(2.0, 30.0, rows).round(2)
    fraud = random.random(rows) < np.where(amount > 140, 0.8, 0.01)
    features = np.column_stack((amount, 2 * amount, random.random(rows)))
    return labelled(fraud, features, np.sort(random.integers(START, AS_OF - 3 * DAY, rows)))


def split_of(rows: LabelledEvents, **training: object) -> Split:
    return split_in_time(rows, declare(**training).training, AS_OF - 3 * DAY)


def fitted(rows: LabelledEvents, **training: object) -> Challenger:
    return fit_challenger(split_of(rows, **training), REQUEST, declare(**training), quiet)


def quiet(_rounds: int, _loss: float) -> None:
    """Nobody hears of progress."""


@ALGORITHMS
def test_the_manifest_says_how_it_was_fitted(algorithm: str) -> None:
    challenger = fitted(events(), algorithm=algorithm, parameters={"learning_rate": 0.2})
    recipe = challenger.recipe
    assert (recipe.family, recipe.rounds, recipe.seed) == (algorithm, challenger.rounds, 7)
    assert recipe.parameters["learning_rate"] == 0.2
    assert recipe.parameters["max_bin"] in {8_000, 8_192}
    assert msgspec.json.decode(msgspec.json.encode(challenger.manifest), type=Manifest) == challenger.manifest


def test_an_older_manifest_has_no_recipe() -> None:
    challenger = fitted(events())
    fields = msgspec.json.decode(msgspec.json.encode(challenger.manifest))
    del fields["recipe"]
    old = msgspec.json.decode(msgspec.json.encode(fields), type=Manifest)
    assert old.recipe is None
    with pytest.raises(ContractError, match="does not say how it was fitted"):
        refit_model(old, events(), declare(), quiet)


@ALGORITHMS
def test_a_refit_on_the_same_events_is_the_same_model(algorithm: str) -> None:
    """The fit was stopped early; the refit takes as many rounds, and ends at the same trees."""
    rows = events()
    challenger = fitted(rows, algorithm=algorithm)
    again = refit_challenger(challenger, split_of(rows).fit, REQUEST, declare(algorithm=algorithm), quiet)
    judged = split_of(rows).judged.features
    assert np.array_equal(again.model.margins(judged), challenger.model.margins(judged))


@ALGORITHMS
def test_a_refit_freezes_all_but_the_trees(algorithm: str) -> None:
    rows = events()
    challenger = fitted(rows, algorithm=algorithm, sampling={"balance": True, "legitimate": 0.5})
    again = refit_challenger(challenger, rows, REQUEST, declare(algorithm=algorithm), quiet)
    assert again.recipe == challenger.recipe
    assert again.manifest.calibration == challenger.manifest.calibration
    assert again.artifact != challenger.artifact
    assert (again.manifest.rows, again.manifest.frauds) == (len(rows), rows.frauds)
    assert again.manifest.fitted_until == to_text(int(rows.time[-1]))
    everyday = again.model.margins(rows.features)
    assert np.corrcoef(everyday, challenger.model.margins(rows.features))[0, 1] > 0.8


def test_a_published_model_is_refitted_by_the_features_it_reads() -> None:
    rows = events()
    challenger = fitted(rows)
    fewer = msgspec.structs.replace(challenger.manifest, features=challenger.manifest.features[:1:-1])
    _, model = refit_model(fewer, rows, declare(), quiet)
    noise_only = model.margins(rows.features)
    moved = rows.features.copy()
    moved[:, 0] = 500.0
    assert np.array_equal(model.margins(moved), noise_only)
    assert len(np.unique(noise_only)) > 1


def test_the_calibration_is_chosen_and_told() -> None:
    challenger = fitted(events(12_000))
    assert challenger.recipe.calibration in {"platt", "beta", "isotonic"}
    assert challenger.metrics["calibration_error"] < 0.05
    assert fitted(events(), calibration="isotonic").manifest.calibration.knots


SAMPLING: list[dict[str, object]] = [
    {"legitimate": 0.25},
    {"balance": True},
    {"legitimate": 0.25, "balance": True},
]


@ALGORITHMS
@pytest.mark.parametrize("sampling", SAMPLING)
@pytest.mark.parametrize("calibration", ["platt", "beta", "isotonic"])
def test_scores_are_right_on_the_whole_population(
    algorithm: str, sampling: dict[str, object], calibration: str
) -> None:
    rows = events(12_000)
    split = split_of(rows)
    weight = np.random.default_rng(0).uniform(1, 3, len(rows))
    weighted = labelled(
        rows.fraud, rows.features, rows.time, weight=weight, fit_weight=weight, draw=rows.draw
    )
    challenger = fitted(weighted, algorithm=algorithm, sampling=sampling, calibration=calibration)
    judged = split_of(weighted).judged
    scores = challenger.model.scores(challenger.model.margins(judged.features))
    assert np.average(scores, weights=judged.weight) == pytest.approx(
        np.average(judged.fraud, weights=judged.weight), rel=0.25
    )
    validation = split_of(weighted).validation
    scores = challenger.model.scores(challenger.model.margins(validation.features))
    assert np.average(scores, weights=validation.weight) == pytest.approx(
        np.average(validation.fraud, weights=validation.weight), rel=0.03
    )
    assert challenger.metrics["fit_rows"] == len(split.fit)
    if "legitimate" in sampling:
        assert challenger.metrics["fit_rows_sampled"] < 0.4 * len(split.fit)


def test_sampling_keeps_the_weight_of_the_population() -> None:
    rows = events(20_000)
    some = sampled(rows, 0.2)
    assert some.frauds == rows.frauds
    assert some.weight.sum() == pytest.approx(len(rows), rel=0.05)
    again = sampled(rows.where(slice(0, 10_000)), 0.2)
    assert np.array_equal(again.time, some.time[: len(again)])


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
def test_a_warm_start_begins_with_the_champions_trees(algorithm: str) -> None:
    rows = events(6_000)
    champion = fitted(rows.where(slice(0, 4_000)), algorithm=algorithm)
    training = {"algorithm": algorithm, "warm_start": True}
    challenger = fit_challenger(
        split_of(rows),
        REQUEST,
        declare(**training),
        quiet,
        champion_artifact=champion.artifact,
        champion_manifest=champion.manifest,
    )
    assert challenger.recipe.begun_with == "v1"
    assert champion.rounds < challenger.rounds <= champion.rounds + NIGHTLY_ROUNDS
    again = refit_challenger(challenger, split_of(rows).fit, REQUEST, declare(**training), quiet)
    judged = rows.features[-500:]
    assert np.array_equal(again.model.margins(judged), challenger.model.margins(judged))


def test_a_warm_start_that_cannot_be_says_why() -> None:
    rows = events()
    champion = fitted(rows)
    manifest, artifact = champion.manifest, champion.artifact
    warm = declare(warm_start=True)
    fewer = msgspec.structs.replace(manifest, features=manifest.features[1:])
    grown = msgspec.structs.replace(champion.recipe, rounds=MOST_ROUNDS)
    for pipeline, theirs, word in (
        (warm, None, "no champion"),
        (declare(warm_start=True, algorithm="xgboost"), manifest, "is of lightgbm"),
        (warm, fewer, "other features than are declared now: amount_eur"),
        (warm, msgspec.structs.replace(manifest, features=manifest.features[::-1]), "their order"),
        (declare(warm_start=True, monotone={"noise": "increasing"}), manifest, "another training.monotone"),
        (warm, msgspec.structs.replace(manifest, recipe=None), "does not say how it was fitted"),
        (warm, msgspec.structs.replace(manifest, recipe=grown), "2,000 rounds already"),
        (warm, msgspec.structs.replace(manifest, artifact=ArtifactInfo.of(b"other")), "damaged"),
    ):
        beginning = begin(pipeline, theirs, artifact)
        assert beginning.artifact is None
        assert word in (beginning.why_not or "")
    assert begin(declare(), manifest, artifact).why_not is None
    cold = fit_challenger(split_of(rows), REQUEST, warm, quiet)
    assert cold.notes == ["not begun with the champion's trees: there is no champion"]


@ALGORITHMS
def test_the_same_events_give_the_same_bytes(algorithm: str) -> None:
    training = {"algorithm": algorithm, "sampling": {"legitimate": 0.5, "balance": True}}
    first, second = (fitted(events(), **training) for _ in range(2))
    assert first.artifact == second.artifact
    assert msgspec.json.encode(first.manifest) == msgspec.json.encode(second.manifest)


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


def test_a_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {name: declare(algorithm="xgboost", device=name).training for name in ("auto", "cpu", "cuda")}
    monkeypatch.setattr(device, "why_not", lambda: "CUDA finds no GPU")
    assert [training_device(chosen[name]) for name in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(ConfigError, match=r"training\.device: cuda cannot be had here: CUDA finds no GPU"):
        training_device(chosen["cuda"])
    monkeypatch.setattr(device, "why_not", lambda: None)
    assert [training_device(chosen[name]) for name in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]
    assert training_device(declare(device="auto").training) == "cpu"


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


def test_more_events_than_are_binned_by_are_binned_by_their_frauds(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = events(6_000)
    whole = fitted(rows)
    for module in (bins, lightgbm_data):
        monkeypatch.setattr(module, "MOST_LEGITIMATE", 500)
    some = fitted(rows)
    assert "bins_by_rows" not in whole.metrics
    assert some.metrics["bins_by_rows"] == split_of(rows).fit.frauds + 500
    asked = np.array([[100.0, 200.0, 0.5], [180.0, 360.0, 0.5]])
    low, high = some.model.scores(some.model.margins(asked))
    assert low < 0.1
    assert high > 0.4
    warm = fit_challenger(
        split_of(rows),
        REQUEST,
        declare(warm_start=True),
        quiet,
        champion_artifact=some.artifact,
        champion_manifest=some.manifest,
    )
    assert warm.rounds > some.rounds
