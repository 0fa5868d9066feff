"""What the keeper stores in a second: alone, and where sink workers write the files that it takes."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.field import Field
from benchmarks.stage import scorer_process, stage
from benchmarks.workload import declaration
from streams.kafka import end_offsets, group_consumer, reader
from tests.support.keeper_parts import close_parts, open_parts
from training.keeper.sink import Sink
from training.sink.folder import folder_of, kinds_of
from training.sink.reading import cluster_of
from training.sink.stretch import covered
from training.sink.worker import SinkWorker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.stage import Stage
    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts
    from training.keeper.progress import Offsets

EVENTS, TREES = 200_000, 30
_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Cost:
    """Of storing ``events`` decided events, in one process."""

    who: str
    events: int
    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return (
            f"{self.who:<34} {self.events / self.wall_s:>9,.0f} {self.events / self.cpu_s:>12,.0f} "
            f"{self.cpu_s / self.events * 1e6:>9.1f}"
        )


def main(events: int = EVENTS) -> None:
    """Print a line for the keeper alone, for a worker, and for the keeper beside workers."""
    with stage(declaration()) as on:
        field = Field(on, TREES)
        decided = field.pipeline(declaration(), "sink", field.events(events))
        _decide(decided, events)
        found = [_alone(decided, events), *_with_a_worker(decided, events)]
    print(f"{'events of 40 features, and decisions':<34} {'a second':>9} {'a CPU-second':>12} {'CPU us':>9}")
    for cost in found:
        print(cost)


def _decide(on: Stage, events: int) -> None:
    asking, until = reader(on.broker.bootstrap), time.monotonic() + _PATIENCE_S
    with scorer_process(on):
        while sum(end_offsets(asking, on.pipeline.topics.decisions).values()) < events:
            if time.monotonic() > until:
                raise SystemExit(f"the scorer did not decide {events:,} events in {_PATIENCE_S:.0f} s")
            threading.Event().wait(0.2)
    asking.close()
    print(f"{events:,} events are decided", file=sys.stderr, flush=True)


def _alone(on: Stage, events: int) -> Cost:
    parts = _parts(on, on.pipeline, on.folder / "alone")
    sink = Sink(parts)
    cost = _timed("keeper alone", events, lambda: _drained(sink, parts))
    _leave(sink, parts, events)
    return cost


def _with_a_worker(on: Stage, events: int) -> list[Cost]:
    spec = on.pipeline.training.sink.model_copy(update={"workers": 1})
    training = on.pipeline.training.model_copy(update={"sink": spec})
    pipeline = on.pipeline.model_copy(update={"training": training})
    parts = _parts(on, pipeline, on.folder / "beside")
    sink = Sink(parts)
    consumer = group_consumer(on.broker.bootstrap, "sluicegate.sink.sink", end_events=True)
    folder = folder_of(pipeline, on.folder / "beside")
    worker = SinkWorker(pipeline, consumer, folder, cluster_of(consumer))
    worker.begin()
    while not worker.partitions:
        worker.turn()
    ends, kinds = parts.ends(), kinds_of(pipeline)

    def written() -> None:
        while not _reaches(worker, ends):
            worker.turn()

    def _reaches(_: SinkWorker, ends: Offsets) -> bool:
        stretches = folder.stretches()
        return all(
            covered(stretches.get((kinds[topic], partition), ()), 0) >= end
            for (topic, partition), end in ends.items()
            if topic in kinds
        )

    costs = [_timed("one sink worker", events, written)]
    size = sum(file.stat().st_size for file in folder.path.iterdir())
    files = len(list(folder.path.iterdir()))
    consumer.close()
    costs.append(_timed("keeper beside workers", events, lambda: _drained(sink, parts)))
    _leave(sink, parts, events)
    print(f"{size / events:.0f} bytes of Parquet an event, {files} files", file=sys.stderr)
    return costs


def _parts(on: Stage, pipeline: Pipeline, state_dir: Path) -> Parts:
    state_dir.mkdir()
    return open_parts(on.config, pipeline, on.broker.bootstrap, state_dir)


def _drained(sink: Sink, parts: Parts) -> None:
    ends = parts.ends()
    while not all(parts.progress.offsets().get(at, 0) >= end for at, end in ends.items()):
        sink.step()


def _leave(sink: Sink, parts: Parts, events: int) -> None:
    for table in ("scored", "decisions"):
        found = parts.store.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]  # noqa: S608
        if found != events:
            raise SystemExit(f"{table}: {found:,} rows, expected {events:,}")
    sink.close()
    close_parts(parts)


def _timed(who: str, events: int, work: Callable[[], None]) -> Cost:
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return Cost(who, events, time.monotonic() - wall, time.process_time() - cpu)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
