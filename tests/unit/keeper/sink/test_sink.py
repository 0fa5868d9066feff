"""Everything written is in the store once, through restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.keeper.past import delta_rows, outcome_rows, whole_history
from tests.unit.keeper.sink.sinking import NewSink, ask, catch_up, outcome
from tests.unit.keeper.test_routing import counting_frauds
from tests.unit.keeper.written import (
    MINUTE,
    START,
    TwoClaims,
    event_id,
    give_up_batch,
    write_batches,
    write_outcomes,
)
from training.keeper.history_import import import_history

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


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


def test_what_a_given_up_scorer_wrote_and_repeated_decisions_are_passed_over_also_after_a_restart(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    claims = TwoClaims(pipeline, bootstrap)
    claims.taken_over()
    sink, parts = new_sink()
    catch_up(sink, parts)
    sink, parts = new_sink()
    claims.repeated()
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


def test_what_counts_nowhere_is_passed_for_good(
    new_sink: NewSink, pipeline: Pipeline, bootstrap: str
) -> None:
    """Else a start would ask for it when Kafka has dropped it, and take it for a loss."""
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    sink, parts = new_sink()
    catch_up(sink, parts)
    give_up_batch(pipeline, bootstrap, 10, size=10)
    catch_up(sink, parts)
    stored = {(topic, partition): at for topic, partition, at in ask(parts, "FROM offsets")}
    assert stored == parts.ends()
    assert ask(parts, "SELECT count(*) FROM scored") == [(20,)]


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
