from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.declaration.windows import WindowSpec
from feature_store.errors import ContractError, StorageError
from feature_store.log import decode_log, encode_log
from feature_store.units import to_text
from streams.kafka import plain_producer
from tests.unit.keeper.past import delta_rows, outcome_rows, whole_history
from tests.unit.keeper.test_routing import counting_frauds
from tests.unit.keeper.written import (
    MINUTE,
    START,
    decision,
    event_id,
    log_message,
    remove_before,
    until,
    write_batches,
    write_outcomes,
)
from training.keeper.history_import import import_history
from training.keeper.parts import Parts
from training.keeper.sink import Sink
from training.keeper.store import STORE, open_keeper_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

NewParts = Callable[..., Parts]
NewSink = Callable[..., tuple[Sink, Parts]]


@pytest.fixture
def new_sink(new_parts: NewParts) -> Iterator[Callable[..., tuple[Sink, Parts]]]:
    """Start a sink as a fresh process would; the one before is closed first."""
    sinks: list[Sink] = []

    def start(*declared: Pipeline) -> tuple[Sink, Parts]:
        while sinks:
            sinks.pop().close()
        parts = new_parts(*declared)
        sinks.append(Sink(parts))
        return sinks[0], parts

    yield start
    for sink in sinks:
        sink.close()


def catch_up(sink: Sink, parts: Parts) -> None:
    ends = parts.ends()
    until(lambda: all(parts.progress.offsets().get(at, 0) >= end for at, end in ends.items()), sink.step)


def ask(parts: Parts, query: str) -> list[tuple[Any, ...]]:
    return list(parts.store.execute(query).fetchall())


def outcome(
    event: str, label: str = "fraud", observed_at: str = to_text(START), source: str = "analyst"
) -> bytes:
    return msgspec.json.encode(
        {"event_id": event, "label": label, "observed_at": observed_at, "source": source}
    )


def test_everything_written_is_in_the_store_once(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=3, size=40)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3))], START + 500 * MINUTE)
    sink, parts = new_sink()
    catch_up(sink, parts)
    assert ask(parts, "SELECT count(*), count(DISTINCT (source_partition, source_offset)) FROM scored") == [
        (240, 240)
    ]
    assert ask(parts, "SELECT count(*), count(DISTINCT event_id) FROM decisions") == [(240, 240)]
    assert ask(parts, "SELECT sum(row_count), min(first_offset), max(next_offset) FROM batches") == [
        (240, 0, 120)
    ]
    assert ask(parts, "SELECT event_id, label, source FROM outcomes") == [("e0-3", "fraud", "analyst")]
    assert ask(parts, "SELECT epoch_us(arrived_at) FROM outcomes") == [(START + 500 * MINUTE,)]
    assert ask(parts, "SELECT DISTINCT message->>'fallback' FROM decisions") == [("cold_start",)]


def _under(message: bytes, claim: int, claimed_at: int) -> bytes:
    batch, meta = decode_log(message)
    return encode_log(batch, msgspec.structs.replace(meta, claim=claim, claimed_at=claimed_at))


def test_what_a_given_up_scorer_wrote_and_repeated_decisions_are_passed_over_also_after_a_restart(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    kafka, features = plain_producer(bootstrap), pipeline.topics.features

    def log(first: int, count: int, claim: int, claimed_at: int) -> None:
        message = _under(log_message(pipeline, 0, first, count), claim, claimed_at)
        kafka.produce(features, value=message, partition=0)

    def decide(first: int, end: int) -> None:
        for offset in range(first, end):
            kafka.produce(pipeline.topics.decisions, value=decision(pipeline, 0, offset), partition=0)

    log(0, 0, 1, -1)  # at offset 0: a claim
    log(0, 10, 1, 0)
    decide(0, 15)
    log(10, 0, 2, -1)  # at offset 2: the next one
    log(10, 5, 1, 0)
    decide(10, 20)
    assert kafka.flush(30) == 0
    sink, parts = new_sink()
    catch_up(sink, parts)
    sink, parts = new_sink()
    log(10, 5, 1, 0)
    log(10, 10, 2, 2)
    decide(12, 20)
    assert kafka.flush(30) == 0
    catch_up(sink, parts)
    once = [(20, 20)]
    assert ask(parts, "SELECT count(*), count(DISTINCT source_offset) FROM scored") == once
    assert ask(parts, "SELECT count(*), count(DISTINCT source_offset) FROM decisions") == once
    assert ask(parts, "SELECT sum(row_count), sum(next_offset - first_offset) FROM batches") == once
    assert ask(parts, "SELECT count(*) FROM placed_rows WHERE definitions IS NULL") == [(0,)]


def test_stream_time_is_what_has_been_decided_and_survives_a_restart(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome("e0-3")], START + 500 * MINUTE)
    sink, parts = new_sink()
    assert parts.clock.now() == 0
    catch_up(sink, parts)
    assert parts.clock.now() == START + 9 * MINUTE
    _sink, restarted = new_sink()
    assert restarted.clock.now() == START + 9 * MINUTE


def test_a_step_that_fails_before_the_offsets_leaves_no_rows_and_is_done_again(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=2, size=10)
    sink, parts = new_sink()

    def power_cut(_offsets: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(sink, "_move", power_cut)
    with pytest.raises(OSError, match="power cut"):
        catch_up(sink, parts)
    assert ask(parts, "SELECT count(*) FROM scored") == [(0,)]
    sink, parts = new_sink()
    catch_up(sink, parts)
    assert ask(parts, "SELECT count(*), count(DISTINCT event_id) FROM scored") == [(40, 40)]


def test_a_restart_goes_on_where_the_store_ends(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    following = write_batches(pipeline, bootstrap, 0, batches=2, size=10)
    catch_up(*new_sink())
    write_batches(pipeline, bootstrap, following, batches=2, size=10)
    sink, parts = new_sink()
    catch_up(sink, parts)
    for table in ("scored", "decisions"):
        assert ask(parts, f"SELECT count(*), count(DISTINCT event_id) FROM {table}") == [(80, 80)]  # noqa: S608


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


def test_a_new_feature_becomes_a_column_and_older_messages_have_none(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    following = write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    catch_up(*new_sink())
    features = pipeline.features.model_copy(update={"rows": {"amount_eur": "amount", "twice": "amount * 2"}})
    grown = pipeline.model_copy(update={"features": features})
    write_batches(pipeline, bootstrap, following, batches=1, size=10)
    sink, parts = new_sink(grown)
    write_batches(grown, bootstrap, following + 10, batches=1, size=10)
    catch_up(sink, parts)
    assert ask(parts, "SELECT count(*), count(twice), count(amount_eur) FROM scored") == [(60, 0, 60)]


def test_a_feature_that_is_no_longer_declared_is_still_read_from_the_log(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    shrunk = pipeline.model_copy(
        update={
            "features": pipeline.features.model_copy(
                update={"windows": (WindowSpec(entity=("card",), windows=("24h",), count=True),)}
            )
        }
    )
    sink, parts = new_sink(shrunk)
    catch_up(sink, parts)
    assert ask(parts, "SELECT count(*), count(card_count_24h) FROM scored") == [(20, 0)]


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


def test_the_store_of_another_pipeline_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    open_keeper_store(tmp_path / STORE, pipeline).close()
    with pytest.raises(StorageError, match="its pipeline is"):
        open_keeper_store(tmp_path / STORE, pipeline.model_copy(update={"pipeline": "other"}))


def _text(kind: dict[str, Any]) -> str:
    return f"decimal({kind['precision']},{kind['scale']})" if kind["kind"] == "decimal" else str(kind["kind"])


def test_deltas_that_scorers_applied_and_what_rows_were_computed_under_are_kept(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    declared = counting_frauds(pipeline)
    deltas = delta_rows(declared, "e1-0", "e1-7", partition=1).to_batches()[0]
    scorer = plain_producer(bootstrap)
    for first, learnt in ((0, None), (10, deltas), (20, None)):
        message = log_message(declared, 1, first, 10, learnt)
        scorer.produce(pipeline.topics.features, value=message, partition=1)
    scorer.produce(pipeline.topics.features, value=log_message(pipeline, 1, 30, 10), partition=1)
    scorer.flush(30)
    sink, parts = new_sink(declared)
    catch_up(sink, parts)
    assert ask(parts, "SELECT event_id, route_seq, entity_card FROM deltas ORDER BY route_seq") == [
        ("e1-0", 1, "c1"),
        ("e1-7", 2, "c1"),
    ]
    assert ask(
        parts,
        "SELECT name, min(source_offset), max(source_offset) FROM placed_rows JOIN definitions "
        "ON digest = placed_rows.definitions GROUP BY name ORDER BY name",
    ) == [("amount_eur", 0, 39), ("card_count_1h", 0, 39), ("card_frauds_24h", 0, 29)]
    assert ask(parts, "SELECT count(*) FROM definitions") == [(5,)]


def test_deltas_of_a_scorer_that_ran_an_older_declaration_belong_to_whom_their_events_say(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    declared = counting_frauds(pipeline)
    whole = delta_rows(declared, "e1-0", "e1-8", partition=1).to_batches()[0]
    scorer = plain_producer(bootstrap)
    message = log_message(declared, 1, 0, 10, whole.drop_columns(["entity_card"]))
    scorer.produce(pipeline.topics.features, value=message, partition=1)
    scorer.flush(30)
    sink, parts = new_sink(declared)
    catch_up(sink, parts)
    found = ask(parts, "SELECT event_id, entity_card FROM deltas ORDER BY route_seq")
    assert found == [("e1-0", "c0"), ("e1-8", "c1")]


def test_rows_of_an_older_log_were_decided_when_they_were_applied(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    batch, meta = decode_log(log_message(pipeline, 0, 0, 5))
    older = encode_log(batch.drop_columns(["late", "decided_seq"]), meta)
    scorer = plain_producer(bootstrap)
    scorer.produce(pipeline.topics.features, value=older, partition=0)
    scorer.produce(pipeline.topics.features, value=log_message(pipeline, 0, 5, 5), partition=0)
    scorer.flush(30)
    sink, parts = new_sink()
    catch_up(sink, parts)
    assert ask(parts, "SELECT decided_seq, late FROM scored ORDER BY seq") == [
        *((seq, None) for seq in range(5)),
        *((9, False) for _ in range(5, 10)),
    ]


def test_imported_outcomes_are_routed_by_the_clock_even_where_nothing_comes(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str, tmp_path: Path
) -> None:
    declared = counting_frauds(pipeline)
    sink, parts = new_sink(declared)
    ahead = outcome_rows("h0-3", minute=9)
    folder = whole_history(tmp_path / "history", declared, outcomes=ahead, deltas=delta_rows(declared))
    with parts.store.cursor() as cursor:
        import_history(cursor, declared, tmp_path, folder)
    write_batches(declared, bootstrap, 0, batches=1, size=9)
    catch_up(sink, parts)
    assert ask(parts, "SELECT count(*) FROM outbox") == [(0,)]
    parts.clock.observe(START + 9 * MINUTE)
    sink.step()
    assert ask(parts, "SELECT event_id, route_seq FROM outbox") == [("h0-3", 1)]
