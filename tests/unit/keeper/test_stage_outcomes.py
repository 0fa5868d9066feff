"""Deltas for a stage before the last that counts outcomes: on a topic of its own, keyed as its input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from feature_store.declaration.load import load_pipeline
from streams.sources.partitions import partitions_of
from tests.unit.keeper.conftest import PIPELINE
from tests.unit.keeper.sending import Delta, Running, deltas_on, sent_before_its_store_was_lost
from tests.unit.keeper.sink.sinking import outcome
from tests.unit.keeper.test_routing import rows_of
from tests.unit.keeper.written import START, event_id, write_batches, write_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

_STAGED = "features:\n  staged: true\n"
_LAST = "{entity: holder, windows: [1h], count: true, fraud_rate: true}"
_FIRST = "{entity: card, windows: [1h], frauds: true}"


def declared(folder: Path, name: str, *windows: str) -> Pipeline:
    """The small pipeline in two stages, as its last one sees it."""
    text = PIPELINE.format(name=name).replace("features:\n", _STAGED)
    text = text.replace("[{entity: card, windows: [1h], count: true}]", f"[{', '.join(windows)}]")
    path = folder / "staged.yaml"
    path.write_text(text.replace("topics: {", f"topics: {{stages: {name}.stages, "), encoding="utf-8")
    return load_pipeline(path).deciding


@pytest.fixture
def pipeline(tmp_path: Path, unique: str) -> Pipeline:
    return declared(tmp_path, unique, _FIRST, _LAST)


def on_topic(bootstrap: str, topic: str) -> list[Delta]:
    """By ``route_seq``."""
    return sorted(deltas_on(bootstrap, topic), key=lambda each: each[1].route_seq)


def stage_topic(pipeline: Pipeline) -> str:
    return pipeline.topics.outcomes_of(pipeline.stages[0])


def known(pipeline: Pipeline, bootstrap: str) -> list[list[int]]:
    """The ``route_seq`` on the topic that has all of them, and on the stage's."""
    topics = [pipeline.topics.entity_outcomes, stage_topic(pipeline)]
    return [[delta.route_seq for _, delta in on_topic(bootstrap, topic)] for topic in topics]


def test_a_stage_hears_of_outcomes_on_the_partition_of_its_key(
    start: Callable[..., Running], pipeline: Pipeline, bootstrap: str
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    told = [outcome(event_id(0, offset)) for offset in (2, 3, 4)]
    write_outcomes(pipeline, bootstrap, [*told, outcome(event_id(1, 5))], START)
    running = start()
    running.catch_up()
    assert running.sender.step() == 4
    assert running.sender.step() == 0
    everything = on_topic(bootstrap, pipeline.topics.entity_outcomes)
    assert {delta.event_id: partition for partition, delta in everything} == {
        "e0-2": 0, "e0-3": 0, "e0-4": 0, "e1-5": 1,
    }  # fmt: skip
    of_stage = on_topic(bootstrap, stage_topic(pipeline))
    assert [delta for _, delta in of_stage] == [delta for _, delta in everything]
    cards = pa.array([str(delta.entity["card"]) for _, delta in of_stage])
    assert [partition for partition, _ in of_stage] == partitions_of(cards, 2).tolist()


def test_a_kill_between_commit_and_note_is_settled_for_every_topic(
    start: Callable[..., Running], pipeline: Pipeline, bootstrap: str
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3)), outcome(event_id(0, 5))], START)
    running = start()
    running.catch_up()
    running.dies_before_it_notes()
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 7))], START)
    again = start()
    again.catch_up()
    assert again.sender.step() == 1
    assert known(pipeline, bootstrap) == [[1, 2, 3], [1, 2, 3]]


def test_a_stage_that_is_new_gets_all_that_was_routed_and_no_other_topic_gets_it_again(
    start: Callable[..., Running], pipeline: Pipeline, bootstrap: str, tmp_path: Path, unique: str
) -> None:
    before = declared(tmp_path, unique, "{entity: card, windows: [1h], count: true}", _LAST)
    assert before.counting_stages == ()
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3)), outcome(event_id(1, 5))], START)
    running = start(before)
    running.catch_up()
    assert running.sender.step() == 2
    assert rows_of(running.parts.store, "FROM stage_routing") == []
    assert known(pipeline, bootstrap) == [[1, 2], []]
    grown = start()
    assert rows_of(grown.parts.store, "FROM all_sent") == [{"sent": 0}]
    assert grown.sender.step() == 2
    assert rows_of(grown.parts.store, "FROM all_sent") == [{"sent": 2}]
    assert known(pipeline, bootstrap) == [[1, 2], [1, 2]]
    entities = [delta.entity for _, delta in on_topic(bootstrap, stage_topic(pipeline))]
    assert entities == [{"card": "c3", "holder": "somebody"}, {"card": "c5", "holder": "somebody"}]
    shrunk = start(before)
    assert rows_of(shrunk.parts.store, "FROM all_sent") == [{"sent": 2}]


def test_a_store_that_was_lost_goes_on_behind_what_every_topic_has(
    start: Callable[..., Running], pipeline: Pipeline, bootstrap: str, tmp_path: Path
) -> None:
    anew = sent_before_its_store_was_lost(start, tmp_path)
    anew.catch_up()
    assert anew.sender.step() == 1
    assert known(pipeline, bootstrap) == [[1, 2, 3], [1, 2, 3]]
