"""What each process may be asked to be allowed: its own topics, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.kafka.rights import topics_needed
from tests.support.payments import private_pipeline
from tests.support.staged import staged_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def of_stages(needed: Iterable[str]) -> list[str]:
    """The topics of outcomes that stages before the last have."""
    return [name for name in needed if "-stages-" in name and name.endswith("-outcomes")]


def test_a_stage_reads_outcomes_where_it_counts_them_and_the_keeper_writes_there(tmp_path: Path) -> None:
    pipeline = staged_pipeline(tmp_path)[1]
    assert [stage.number for stage in pipeline.counting_stages] == [0, 1]
    views = [pipeline.at(stage) for stage in pipeline.stages]
    read = [topics_needed(view, "scorer")[view.topics.entity_outcomes] for view in views]
    assert read == [("Read",)] * 3
    keeper = topics_needed(pipeline.deciding, "keeper")
    assert all(keeper[view.topics.entity_outcomes] == ("Read", "Write") for view in views)
    assert of_stages(topics_needed(pipeline.deciding, "monitor")) == []


def test_a_stage_that_counts_none_reads_none(tmp_path: Path) -> None:
    features = {"staged": True, "windows": [{"entity": "terminal_id", "windows": ["1h"], "frauds": True}]}
    decision = {"costs": {"amount": "amount", "review": 4, "false_decline": 15}}
    pipeline = private_pipeline(tmp_path, "unit", features=features, decision=decision)[1]
    first, last = (pipeline.at(stage) for stage in pipeline.stages)
    assert not any("outcomes" in name for name in topics_needed(first, "scorer"))
    assert topics_needed(last, "scorer")[pipeline.topics.entity_outcomes] == ("Read",)
    assert of_stages(topics_needed(pipeline.deciding, "keeper")) == []
