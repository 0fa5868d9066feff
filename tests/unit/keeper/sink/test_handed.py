"""What sink workers write is in the store as if the keeper had read it: once, whoever was killed when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.keeper.sink.sinking import ask, catch_up, outcome
from tests.unit.keeper.sink.working import Working, taken_up_to_the_ends, with_workers
from tests.unit.keeper.test_routing import counting_frauds
from tests.unit.keeper.written import MINUTE, START, event_id, write_batches, write_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from tests.unit.keeper.sink.sinking import NewSink
    from training.keeper.parts import Parts

TABLES = ("scored", "deltas", "batches", "decisions", "definitions", "outcomes", "outbox", "offsets", "waiting")
NewWorker = "Callable[[], Working]"


@pytest.fixture
def working(pipeline: Pipeline, bootstrap: str, tmp_path: Path) -> Iterator[Callable[..., Working]]:
    """Start a worker; all leave in the end."""
    started: list[Working] = []

    def start(declared: Pipeline = pipeline) -> Working:
        started.append(Working(with_workers(declared), bootstrap, tmp_path))
        return started[-1]

    yield start
    for each in started:
        each.close()


def stored(parts: Parts) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that the sink fills, but the clock's own marks."""
    return {table: sorted(map(str, ask(parts, f"FROM {table}"))) for table in TABLES}  # noqa: S608


def test_the_store_is_the_same_as_without_workers(
    new_sink: NewSink, working: Callable[..., Working], pipeline: Pipeline, bootstrap: str, tmp_path: Path
) -> None:
    declared = counting_frauds(pipeline)
    write_batches(declared, bootstrap, 0, batches=3, size=40)
    write_outcomes(declared, bootstrap, [outcome(event_id(0, 3)), outcome(event_id(1, 70))], START + 500 * MINUTE)
    sink, parts = new_sink(declared)
    catch_up(sink, parts)
    alone, now = stored(parts), parts.clock.now()
    (tmp_path / "keeper.duckdb").rename(tmp_path / "alone.duckdb")
    sink, parts = new_sink(with_workers(declared))
    worker = working(declared)
    taken_up_to_the_ends(sink, parts, worker.worker)
    assert stored(parts) == alone
    assert len(alone["scored"]) == 240
    assert len(alone["outbox"]) == 2
    assert parts.clock.now() == now
    assert [file.name for file in worker.folder.path.iterdir()] == ["taken.json"]
