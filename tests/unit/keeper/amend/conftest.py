"""A pipeline that amends late events, and keepers started as fresh processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feature_store.declaration.load import load_pipeline
from tests.unit.keeper.amend.late import Keeping, Start
from tests.unit.keeper.conftest import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts


@pytest.fixture
def config(tmp_path: Path, unique: str) -> Path:
    path = tmp_path / "pipeline.yaml"
    text = PIPELINE.format(name=unique)
    text = text.replace("alerts: ", f"policy: {unique}.policy, alerts: ")
    text = text.replace("  rows: {amount_eur", "  late: amend\n  lateness: 10m\n  rows: {amount_eur")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def pipeline(config: Path) -> Pipeline:
    return load_pipeline(config)


@pytest.fixture
def start(new_parts: Callable[..., Parts]) -> Iterator[Start]:
    """Start sink and amender as a fresh process would; the ones before are as good as killed."""
    running: list[Keeping] = []

    def begin(*declared: Pipeline) -> Keeping:
        if running:
            running[-1].sink.close()
        running.append(Keeping(new_parts(*declared)))
        return running[-1]

    yield begin
    if running:
        running[-1].sink.close()
    for each in running:
        each.amender.close()
