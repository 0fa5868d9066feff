"""Taking over from a log that was written under an older declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import structlog

from feature_store.clock import StreamClock
from feature_store.errors import StateError
from feature_store.log import decode_log
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.deltas import DeltaBook, DeltaDecoder
from streams.scorer.records import SourceDelta, SourceRecord
from streams.scorer.replay import replay
from tests.support.outcomes import counting_frauds, delta
from tests.support.payments import MONDAY, SECOND, encoded, pipeline_of, shipped_tree

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline

COLD = Acting(0, None)
ARRIVED = MONDAY + 86_400 * SECOND


def declared(folder: Path, **fields: Any) -> Pipeline:
    tree = shipped_tree()
    tree["event"]["fields"] |= fields
    return pipeline_of(tree, folder)[1]


def new_core(pipeline: Pipeline) -> ScorerCore:
    core = ScorerCore(pipeline, StreamClock())
    core.add_partition(0, 0)
    return core


def logged(core: ScorerCore, first: int, count: int) -> pa.RecordBatch:
    records = [
        SourceRecord(0, n, *encoded(n), ARRIVED // 1_000, ARRIVED) for n in range(first, first + count)
    ]
    batch = decode_log(core.step(records, COLD).log[0].message)[0]
    core.commit()
    return batch


def test_an_optional_field_that_was_declared_later_is_null_before(tmp_path: Path) -> None:
    before = declared(tmp_path)
    uninterrupted = new_core(before)
    history = logged(uninterrupted, 0, 100)
    after = declared(tmp_path, basket={"type": "string", "required": False})
    core = new_core(after)
    assert replay(core, after, [history]) == 100
    core.restored(0, 100)
    names = [feature.name for feature in before.feature_vector]
    expected = logged(uninterrupted, 100, 50).select(names)
    assert logged(core, 100, 50).select(names).to_pylist() == expected.to_pylist()


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"basket": "string"}, "'basket' is required"),
        ({"card_id": "integer"}, "'card_id' was string in events that were decided before and is int64 now"),
    ],
)
def test_what_would_make_another_state_is_refused_by_name(
    tmp_path: Path, field: dict[str, Any], said: str
) -> None:
    history = logged(new_core(declared(tmp_path)), 0, 10)
    after = declared(tmp_path, **field)
    with pytest.raises(StateError, match=said):
        replay(new_core(after), after, [history])


def test_an_outcome_whose_event_the_log_has_no_more_counts_for_nobody_and_is_told_of(tmp_path: Path) -> None:
    pipeline = counting_frauds(tmp_path)[1]
    book = DeltaBook(pipeline)
    book.add_partition(0)
    decoder = DeltaDecoder(pipeline)
    given = [SourceDelta(0, n, decoder.decode(delta(n + 1, n))) for n in range(3)]
    older = book.take(given, 500).drop_columns(["entity_customer_id"])
    rows = logged(new_core(pipeline), 1, 5)
    with structlog.testing.capture_logs() as said:
        replay(new_core(pipeline), pipeline, [rows], [older])
    (line,) = said
    assert (line["event"], line["count"], line["fields"]) == ("outcomes_without_event", 1, ["customer_id"])


def test_a_log_that_does_not_say_when_actions_were_known_is_gone_on_from_its_last_order(
    tmp_path: Path,
) -> None:
    pipeline = declared(tmp_path)
    history = logged(new_core(pipeline), 0, 10)
    core = new_core(pipeline)
    replay(core, pipeline, [history.drop_columns(["decided_seq"])])
    assert core.seq == 10
