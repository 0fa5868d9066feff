from __future__ import annotations

import msgspec
import numpy as np
import pytest

from feature_store.units import to_text
from streams.messages import ArtifactInfo
from tests.support.challengers import ALGORITHMS, REQUEST, events, fitted, quiet, split_of
from tests.support.training_snapshots import declare
from training.fitting.algorithms import MOST_ROUNDS
from training.fitting.beginning import NIGHTLY_ROUNDS, begin
from training.fitting.challenger import fit_challenger, refit_challenger


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


def test_how_much_of_the_validation_slice_the_champion_knows_is_told() -> None:
    rows = events(6_000)
    split = split_of(rows)
    champion = fitted(rows.where(slice(0, 4_000)))
    middle = int(split.validation.time[len(split.validation) // 2])
    for until, share in ((int(split.validation.time[0]) - 1, 0.0), (middle, 0.5), (split.fitted_until, 1.0)):
        manifest = msgspec.structs.replace(champion.manifest, fitted_until=to_text(until))
        found = fit_challenger(
            split,
            REQUEST,
            declare(warm_start=True, parameters={"min_data_in_leaf": 5, "num_iterations": 3}),
            quiet,
            champion_artifact=champion.artifact,
            champion_manifest=manifest,
        )
        assert found.metrics["validation_known"] == pytest.approx(share, abs=0.01)
        assert ["validation slice" in note for note in found.notes] == [True] * (share > 0)
