"""Three stages without Kafka: whatever order events take between them, every feature is the oracle's."""

from __future__ import annotations

import random
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from feature_store.clock import StreamClock
from feature_store.log import log_schema
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord
from tests.support.payments import MONDAY, encoded
from tests.support.staged import differences, staged_pipeline
from tests.support.staged_relay import COLD, Relay, played

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return staged_pipeline(tmp_path_factory.mktemp("staged"))[1]


@examples(max_examples=15)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 120))
def test_every_feature_is_the_oracles(pipeline: Pipeline, seed: int, count: int) -> None:
    relay = played(pipeline, seed, count)
    assert sorted(row["event_id"] for row in relay.rows) == sorted(f"e{n}" for n in range(1, count + 1))
    assert len(relay.decisions) == count
    wrong = list(islice(differences(pipeline, relay.rows, relay.deltas), 5))
    assert not wrong, "\n".join(wrong)


def test_the_log_of_a_stage_has_what_its_state_needs_and_no_decision(pipeline: Pipeline) -> None:
    first, middle, last = (log_schema(pipeline.at(stage)).names for stage in pipeline.stages)
    assert {"seq", "body_digest"} <= set(first)
    assert {"score", "action", "origin_offset"}.isdisjoint(first)
    assert {"origin_partition", "origin_offset", "seq_0"} <= set(middle)
    assert {"score", "action", "origin_offset", "seq_0", "seq_1", "terminal_id_count_24h"} <= set(last)
    assert log_schema(pipeline).names == last


def test_what_no_stage_has_sent_becomes_a_dead_letter(pipeline: Pipeline) -> None:
    core = ScorerCore(pipeline.at(pipeline.stages[1]), StreamClock())
    core.add_partition(0, 0)
    records = [
        SourceRecord(0, 0, *encoded(1), 0, MONDAY),
        SourceRecord(0, 1, *encoded(2), 0, MONDAY, (), b"S1x"),
    ]
    result = core.step(records, COLD)
    assert [each.reason for each in result.refused] == ["not_staged", "not_staged"]
    assert result.positions[0].events == 2
    assert not result.forwarded


def test_a_decision_names_the_event_itself_beside_what_was_read(pipeline: Pipeline) -> None:
    relay = Relay(pipeline, random.Random(1))
    relay.send(0, *encoded(1))
    relay.run()
    [decision] = relay.decisions
    assert b'"source":{"topic":"unit-stages-2-terminal_id"' in decision
    assert b'"origin":{"topic":"unit-events"' in decision
