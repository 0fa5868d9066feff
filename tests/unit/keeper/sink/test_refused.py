"""What is malformed, gone or of somebody else is noticed, and said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from feature_store.errors import ContractError, StorageError
from streams.kafka import plain_producer
from tests.support.kafka import remove_before
from tests.unit.keeper.sink.sinking import NewSink, ask, catch_up, outcome
from tests.unit.keeper.written import START, write_batches, write_outcomes
from training.keeper.store import STORE, open_keeper_store

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


@pytest.mark.parametrize(
    "value",
    [b"{", b"", b"\xff\xfe", b"[]", b'{"event_id": 5, "label": "fraud"}', outcome("e")[:-1],
     outcome("e", label="perhaps"), outcome("e", observed_at="soon"),
     outcome("e", observed_at="2026-01-01T00:00:00")],
)  # fmt: skip
def test_a_malformed_outcome_is_kept_with_the_reason_and_stops_nothing(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str, value: bytes
) -> None:
    write_outcomes(pipeline, bootstrap, [value, outcome("e0-1")], START)
    sink, parts = new_sink()
    catch_up(sink, parts)
    assert ask(parts, "SELECT event_id FROM outcomes") == [("e0-1",)]
    ((reason, message),) = ask(parts, "SELECT reason, message FROM outcomes_refused")
    assert reason
    assert message == value


@pytest.mark.parametrize("name", ["features", "decisions"])
def test_a_foreign_message_on_our_own_topic_is_an_error_that_says_where(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str, name: str
) -> None:
    topic = getattr(pipeline.topics, name)
    foreign = plain_producer(bootstrap)
    foreign.produce(topic, value=b"not ours", partition=1)
    foreign.flush(30)
    sink, parts = new_sink()
    with pytest.raises(ContractError, match=rf"{topic}\[1\]@0"):
        catch_up(sink, parts)


@pytest.mark.kafka  # records are removed by hand, which the embedded broker does not do
def test_what_left_the_topic_before_it_was_sunk_is_said(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    following = write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    catch_up(*new_sink())
    write_batches(pipeline, bootstrap, following, batches=1, size=10)
    remove_before(bootstrap, pipeline.topics.decisions, 1, 15)
    with pytest.raises(StorageError, match=rf"{pipeline.topics.decisions}\[1\]: offsets \d+ to 14 left"):
        new_sink()


def test_a_topic_that_was_made_anew_is_noticed(new_sink: NewSink, pipeline: Pipeline, bootstrap: str) -> None:
    _sink, parts = new_sink()
    parts.store.execute(
        "UPDATE offsets SET next_offset = 7 WHERE topic = $topic", {"topic": pipeline.topics.features}
    )
    with pytest.raises(StorageError, match="made anew"):
        new_sink()


def test_another_cluster_is_noticed(new_sink: NewSink) -> None:
    _sink, parts = new_sink()
    parts.store.execute("UPDATE about SET value = 'elsewhere' WHERE name = 'kafka_cluster'")
    with pytest.raises(StorageError, match="kafka_cluster is 'elsewhere'"):
        new_sink()


def test_a_field_of_another_type_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    open_keeper_store(tmp_path / STORE, pipeline).close()
    declared = pipeline.model_dump(mode="json")
    declared["event"]["fields"]["holder"]["type"] = "integer"
    declared["event"]["fields"] = {
        name: spec | {"type": spec["type"] if isinstance(spec["type"], str) else _text(spec["type"])}
        for name, spec in declared["event"]["fields"].items()
    }
    other = type(pipeline).model_validate(declared)
    with pytest.raises(StorageError, match="'holder' of scored is stored as VARCHAR"):
        open_keeper_store(tmp_path / STORE, other)


def _text(kind: dict[str, Any]) -> str:
    return f"decimal({kind['precision']},{kind['scale']})" if kind["kind"] == "decimal" else str(kind["kind"])


def test_the_store_of_another_pipeline_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    open_keeper_store(tmp_path / STORE, pipeline).close()
    with pytest.raises(StorageError, match="its pipeline is"):
        open_keeper_store(tmp_path / STORE, pipeline.model_copy(update={"pipeline": "other"}))
