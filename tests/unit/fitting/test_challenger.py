from __future__ import annotations

import msgspec
import numpy as np
import pytest

from feature_store.errors import ContractError
from feature_store.units import to_text
from streams.messages import Manifest
from tests.support.challengers import ALGORITHMS, REQUEST, events, fitted, quiet, split_of
from tests.support.training_snapshots import declare
from training.fitting.challenger import refit_challenger, refit_model


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


@ALGORITHMS
def test_the_same_events_give_the_same_bytes(algorithm: str) -> None:
    training = {"algorithm": algorithm, "sampling": {"legitimate": 0.5, "balance": True}}
    first, second = (fitted(events(), **training) for _ in range(2))
    assert first.artifact == second.artifact
    assert msgspec.json.encode(first.manifest) == msgspec.json.encode(second.manifest)
