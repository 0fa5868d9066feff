"""Late events are decided again where whole windows say something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.declaration.load import load_pipeline
from feature_store.units import to_text
from streams.kafka import read_to_end
from streams.kafka.headers import headers_of
from streams.messages import Amended, Decision
from tests.support.kafka import remove_before
from tests.support.models import counting_model
from tests.unit.keeper.amend.late import (
    BEFORE,
    CARD,
    COUNT,
    LATE,
    MODEL,
    Start,
    decisions_about,
    publish_model,
    with_a_late_event,
    write_late,
)
from tests.unit.keeper.written import MINUTE, START

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


def test_a_late_event_whose_window_was_cut_is_decided_again(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    first = write_late(pipeline, bootstrap)
    keeping.parts.clock.observe(START + 400 * MINUTE)
    assert keeping.amend() == 1
    (partition, offset, replaced), (there, _, message) = decisions_about(pipeline, bootstrap)
    assert msgspec.json.decode(replaced, type=Decision).source == first.source
    amended = msgspec.json.decode(message, type=Decision)
    assert (there, amended.amends) == (
        partition,
        Amended(pipeline.topics.decisions, partition, offset, first.decided_at),
    )
    assert amended.score is not None
    assert amended.score > 0.9
    assert (amended.action, amended.model, amended.release) == ("decline", MODEL, 1)
    assert amended.decided_at == to_text(START + 400 * MINUTE)
    assert (amended.event_id, amended.source, amended.late) == (first.event_id, first.source, True)
    assert b'"amount":39.80' in message
    assert keeping.amend() == 0
    assert keeping.settled() == ["amended"]


def test_an_amended_decision_travels_as_the_one_it_replaces(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = with_a_late_event(start, pipeline, bootstrap)
    keeping.amend()
    *_, newest = read_to_end(bootstrap, pipeline.topics.decisions)
    assert newest.key() == CARD.encode()
    assert dict(headers_of(newest) or ()) == {"event_id": f"e0-{LATE}".encode(), "model": MODEL.encode()}


def test_the_store_counts_a_decision_once_and_keeps_the_amendment_beside_it(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = with_a_late_event(start, pipeline, bootstrap)
    keeping.amend()
    keeping.amend()
    store = keeping.parts.store
    assert store.execute("SELECT count(*) FROM decisions").fetchall() == [(LATE + 1,)]
    ((event, action, offset),) = store.execute(
        "SELECT event_id, action, replaced_offset FROM amendments"
    ).fetchall()
    assert (event, action) == (f"e0-{LATE}", "decline")
    assert store.execute(
        'SELECT event_id, action FROM decisions WHERE partition = 0 AND "offset" = $offset',
        {"offset": offset},
    ).fetchall() == [(event, "approve")]
    assert store.execute("SELECT action, late FROM scored WHERE source_offset = 9").fetchall() == [
        ("approve", True)
    ]


def test_the_same_features_are_no_news(start: Start, pipeline: Pipeline, bootstrap: str) -> None:
    keeping = start()
    publish_model(keeping.parts)
    write_late(pipeline, bootstrap, card_count_1h=float(BEFORE))
    keeping.amend()
    assert keeping.settled() == ["unchanged"]
    assert len(decisions_about(pipeline, bootstrap)) == 1


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"model": "gone"}, "model_gone"),
        ({"score": None, "model": None}, "no_score"),
        ({"policy_offset": 7}, "policy_gone"),
    ],
)
def test_what_cannot_be_scored_as_it_was_is_settled_with_the_reason(
    start: Start, pipeline: Pipeline, bootstrap: str, columns: dict[str, Any], reason: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    write_late(pipeline, bootstrap, **columns)
    keeping.amend()
    assert keeping.settled() == [reason]
    assert len(decisions_about(pipeline, bootstrap)) == 1


def test_a_decision_that_is_not_there_cannot_be_amended(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    write_late(pipeline, bootstrap, decided=False)
    keeping.amend()
    assert keeping.settled() == ["decision_gone"]
    assert decisions_about(pipeline, bootstrap) == []


def test_features_that_are_declared_otherwise_by_now_are_not_compared(
    start: Start, pipeline: Pipeline, bootstrap: str, config: Path
) -> None:
    config.write_text(config.read_text("utf-8").replace("windows: [1h]", "windows: [2h]"), encoding="utf-8")
    keeping = start(load_pipeline(config))
    keeping.parts.publisher.publish(*counting_model(pipeline, MODEL, COUNT), why="test")
    write_late(pipeline, bootstrap)
    keeping.amend()
    assert keeping.settled() == ["features_changed"]


@pytest.mark.kafka  # records are removed by hand, which the embedded broker does not do
def test_a_window_that_reaches_where_the_log_was_cut_off_is_not_whole(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    write_late(pipeline, bootstrap)
    remove_before(bootstrap, pipeline.topics.features, 0, 1)
    keeping = start()
    publish_model(keeping.parts)
    keeping.amend()
    assert keeping.settled() == ["history_incomplete"]
    assert len(decisions_about(pipeline, bootstrap)) == 1


def test_a_pipeline_that_only_scores_amends_nothing(start: Start, pipeline: Pipeline, bootstrap: str) -> None:
    features = pipeline.features.model_copy(update={"late": "score"})
    keeping = start(pipeline.model_copy(update={"features": features}))
    write_late(pipeline, bootstrap)
    assert keeping.amend() == 0
    assert keeping.settled() == []
