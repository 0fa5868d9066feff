"""Logs of older and newer declarations than the keeper has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.declaration.windows import WindowSpec
from feature_store.log import decode_log, encode_log
from streams.kafka import plain_producer
from tests.unit.keeper.past import delta_rows
from tests.unit.keeper.sink.sinking import NewSink, ask, catch_up
from tests.unit.keeper.test_routing import counting_frauds
from tests.unit.keeper.written import log_message, write_batches

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline


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
