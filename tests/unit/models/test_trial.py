"""An artifact from outside is tried in a process that may die of it; what that process says is checked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_store.errors import ContractError
from streams.models import packing
from streams.models.engine import native_engine
from streams.models.packing import pack_here, pack_in_child
from streams.models.trees.splits import UnpackableError
from streams.models.trees.wire import from_bytes, to_bytes
from tests.support.boosters import Recipe, lightgbm_artifact, table, xgboost_artifact

if TYPE_CHECKING:
    from streams.models.trees.forest import Packed

ARTIFACTS = {"lightgbm": lightgbm_artifact, "xgboost": xgboost_artifact}
FAMILIES = pytest.mark.parametrize("family", ARTIFACTS)


def small(family: str) -> tuple[bytes, Packed]:
    artifact = ARTIFACTS[family](table(1), Recipe(category=True))
    return artifact, pack_here(native_engine(family, artifact), artifact)


def child_is(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setattr(packing, "TRIAL", (sys.executable, "-c", source))


@FAMILIES
def test_a_child_packs_as_this_process_does(family: str) -> None:
    artifact, here = small(family)
    assert to_bytes(pack_in_child(family, artifact)) == to_bytes(here)


def test_a_text_that_kills_lightgbm_kills_only_the_child() -> None:
    artifact, _ = small("lightgbm")
    with pytest.raises(ContractError, match="dies of it"):
        pack_in_child("lightgbm", artifact[: len(artifact) // 2])


@FAMILIES
def test_what_the_library_refuses_is_refused_in_one_line(family: str) -> None:
    with pytest.raises(ContractError, match="cannot be loaded") as error:
        pack_in_child(family, b"tree")
    assert "\n" not in str(error.value)


def test_a_model_that_is_sound_but_not_covered_says_so() -> None:
    artifact = lightgbm_artifact(table(1), Recipe(parameters={"linear_tree": True}))
    with pytest.raises(UnpackableError, match="linear"):
        pack_in_child("lightgbm", artifact)


def test_a_child_that_ends_itself_at_its_limit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    child_is(monkeypatch, "import signal; signal.raise_signal(signal.SIGALRM)")
    with pytest.raises(ContractError, match="longer than 1 s"):
        pack_in_child("lightgbm", b"", limit_s=1)


def test_a_child_sees_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICEGATE_CONTROL_KEY", "hidden")
    child_is(monkeypatch, "import os, sys; sys.exit(repr(sorted(os.environ)))")
    with pytest.raises(ContractError, match="PATH") as error:
        pack_in_child("lightgbm", b"")
    assert "SLUICEGATE" not in str(error.value)


@pytest.mark.parametrize("answer", ["b''", "b'x'", "b'{}'"])
def test_an_answer_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    child_is(monkeypatch, f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write({answer})")
    with pytest.raises(ContractError, match="malformed"):
        pack_in_child("lightgbm", b"artifact")


@FAMILIES
@pytest.mark.parametrize(
    ("array", "place", "value"),
    [
        ("nodes", 0, (1 << 40) << 16),
        ("nodes", 0, 0xFFFF_0000),
        ("nodes", -1, 0),
        ("roots", 0, -1),
        ("roots", 0, 1 << 40),
        ("roots", 1, -1),
        ("roots", 2, 0),
        ("numbers", 0, 99),
        ("numbers", 2, 1 << 20),
        ("numbers", 3, 1 << 20),
        ("numbers", 4, 3),
        ("categories", 3, 1 << 20),
        ("categories", 4, -1),
        ("columns", 0, -1),
        ("columns", 1, 1 << 16),
    ],
)
def test_an_answer_that_points_outside_itself_is_never_walked(
    family: str, array: str, place: int, value: int
) -> None:
    sent = to_bytes(small(family)[1])
    words = np.frombuffer(getattr(sent, array), "<u8" if array == "nodes" else "<i8").copy()
    words[place] = value
    setattr(sent, array, words.tobytes())
    with pytest.raises(ContractError, match="outside itself"):
        from_bytes(sent)


@pytest.mark.parametrize("array", ["nodes", "leaves", "means", "roots", "edges", "numbers", "category_codes"])
def test_a_shortened_answer_is_refused(array: str) -> None:
    sent = to_bytes(small("lightgbm")[1])
    setattr(sent, array, getattr(sent, array)[:-8])
    with pytest.raises(ContractError):
        from_bytes(sent)
