"""Cards, from the folders of the runs that drew them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from training.contract import CARD
from training.keeper.cards import Card, card

if TYPE_CHECKING:
    from pathlib import Path

    from training.keeper.parts import Parts


def parts_with(folder: Path, **runs: str | None) -> Parts:
    known = {version: {"version": version, "run_id": run_id} for version, run_id in runs.items()}
    registry = SimpleNamespace(find=known.get)
    return cast("Parts", SimpleNamespace(registry=registry, run_folder=lambda run_id: folder / run_id))


def test_a_version_has_the_card_of_its_run(tmp_path: Path) -> None:
    (tmp_path / "r-1").mkdir()
    (tmp_path / "r-1" / CARD).write_text("<p>é</p>", encoding="utf-8")
    assert card(parts_with(tmp_path, m1="r-1", m2="r-2"), "m1") == Card("m1", "r-1", "<p>é</p>")


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("m0", "no model version 'm0'"),
        ("m1", "not trained here"),
        ("m2", "has no card: .*trainer.log says why"),
    ],
)
def test_why_there_is_none_is_said(tmp_path: Path, version: str, why: str) -> None:
    with pytest.raises(LookupError, match=why):
        card(parts_with(tmp_path, m1=None, m2="r-2"), version)
