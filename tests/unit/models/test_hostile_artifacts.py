"""Artifacts made to break whoever loads them, in real trials: refused in words, in bounded memory and time.

One that is accepted in spite of what is wrong with it is no danger: it says here why.
"""

from __future__ import annotations

import subprocess

import pytest

from feature_store.errors import ContractError
from streams.models.packing import pack_in_child
from streams.models.trees.splits import UnpackableError
from tests.support.hostile_models import hostile_documents, hostile_texts, lightgbm_text, xgboost_ubjson
from tests.support.trials import Tried, tried_in_children

LIMIT_S = 10
MOST_MIB = 2_400
"""What the limit on address space leaves to these models beyond the libraries; most take next to nothing."""

HOSTILE = {f"lightgbm: {name}": ("lightgbm", artifact) for name, artifact in hostile_texts()} | {
    f"xgboost: {name}": ("xgboost", artifact) for name, artifact in hostile_documents()
}
SOUND = {
    "lightgbm": ("lightgbm", lightgbm_text().encode()),
    "xgboost": ("xgboost", xgboost_ubjson()),
}
HARMLESS = {
    "lightgbm: threshold, nan": "never reached by a number, in the packed walk as in the library",
    "lightgbm: threshold, infinite": "every number is at or below it",
    "lightgbm: objective, sigmoid of nan": "no objective is asked: margins are calibrated by the manifest",
    "xgboost: split_type, none that is known": "what is no category is a number",
    "xgboost: num_feature of a tree, none": "the model's own counts",
    "xgboost: num_parallel_tree, 10**9": "it matters to training alone",
    "xgboost: version, none that is known": "XGBoost looks at it for old models alone",
    "xgboost: split_conditions, too large": "infinite in 32 bits; only the library scores it",
    "xgboost: categories, 2**25": "only the library scores it",
}


@pytest.fixture(scope="module")
def tried() -> dict[str, Tried]:
    """Every artifact, tried."""
    cases = HOSTILE | SOUND
    return dict(zip(cases, tried_in_children(list(cases.values()), LIMIT_S), strict=True))


def verdict(found: Tried, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the scorer makes of a trial that ended so; empty where it takes the packed model."""
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda *_, **__: subprocess.CompletedProcess([], found.status, found.answer, found.said),
    )
    try:
        pack_in_child("any", b"", LIMIT_S)
    except ContractError as error:
        return str(error)
    except UnpackableError:
        return ""
    return ""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_artifact_is_refused_in_words_and_in_bounds(
    name: str, tried: dict[str, Tried], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, sound = tried[name], min(tried[each].mebibytes for each in SOUND)
    assert found.mebibytes - sound < MOST_MIB
    said = verdict(found, monkeypatch)
    assert bool(said) != (name in HARMLESS), said or "accepted"
    assert len(said) < 2_000_000
    assert "Traceback" not in said


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_one_is_taken(name: str, tried: dict[str, Tried], monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict(tried[name], monkeypatch) == ""
