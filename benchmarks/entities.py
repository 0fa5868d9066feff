"""What a scorer's state costs: memory, steps, snapshots written and taken in, by the number of entities."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.visits import declaration, visits
from feature_store.clock import WallClock
from feature_store.declaration.pipeline import Pipeline
from feature_store.engine.warm import warm
from feature_store.snapshots import PartitionPosition, Shelf, capture, install, open_folder, units_of
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (10_000, 100_000, 1_000_000)
_PARTITIONS = 4
_STEP = 1_000


@dataclass(frozen=True)
class Cost:
    """One number of entities, each seen once; seconds are of the processor."""

    memory_mb: float
    """What the process grew by: windows, and an id of each event."""
    step_us: float
    """A step without Kafka, for each event: decode, features, decide by rules, encode."""
    snapshot_mb: float
    written_s: float
    taken_in_s: float


def main(entities: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Measure each number in a process of its own; prints a table."""
    print(
        f"{'entities':>10} {'memory':>10} {'of each':>9} {'a step':>12} {'snapshots':>10} "
        f"{'written':>8} {'taken in':>9}"
    )
    found = {}
    for size in entities:
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.entities", str(size)], stdout=subprocess.PIPE, check=True
        )
        each = Cost(**json.loads(told.stdout))
        found[str(size)] = asdict(each)
        print(
            f"{size:>10,} {each.memory_mb:>7,.0f} MB {each.memory_mb * 1e6 / size:>7,.0f} B "
            f"{each.step_us:>6.1f} us/ev {each.snapshot_mb:>7,.1f} MB {each.written_s:>6.2f} s "
            f"{each.taken_in_s:>7.2f} s",
            flush=True,
        )
    return {"entities": found}


def measure(entities: int) -> Cost:
    """One number, in this process."""
    warm()
    pipeline = Pipeline.model_validate(declaration())
    core = _core(pipeline)
    _run(core, _records(0, _STEP))  # what is allocated once is then
    core, before = _core(pipeline), psutil.Process().memory_info().rss
    begun = time.process_time()
    made = _run(core, _records(0, entities))
    step_s = time.process_time() - begun - made
    memory = psutil.Process().memory_info().rss - before
    with tempfile.TemporaryDirectory(prefix="sluicegate-bench-") as folder:
        shelf = Shelf(open_folder(folder, Path(folder)), pipeline.name, 1)
        begun = time.process_time()
        _keep(core, pipeline, shelf)
        written_s = time.process_time() - begun
        size = sum(each.stat().st_size for each in Path(folder).rglob("*.snapshot"))
        fresh = _core(pipeline)
        begun = time.process_time()
        _take_in(fresh, pipeline, shelf)
        taken_in_s = time.process_time() - begun
    return Cost(memory / 1e6, step_s / entities * 1e6, size / 1e6, written_s, taken_in_s)


def _core(pipeline: Pipeline) -> ScorerCore:
    core = ScorerCore(pipeline, WallClock())
    for partition in range(_PARTITIONS):
        core.add_partition(partition, 0)
    return core


def _records(first: int, last: int) -> Iterator[SourceRecord]:
    now = WallClock().now()
    for number, event in enumerate(visits(last, first, last - first)):
        partition, offset = number % _PARTITIONS, number // _PARTITIONS
        yield SourceRecord(partition, offset, event.key, event.value, now // 1_000, now)


def _run(core: ScorerCore, records: Iterator[SourceRecord]) -> float:
    """Step through all of them; the processor's seconds that making them took."""
    nobody, made = Acting(0, None), 0.0
    while True:
        begun = time.process_time()
        batch = list(islice(records, _STEP))
        made += time.process_time() - begun
        if not batch:
            return made
        core.step(batch, nobody)
        core.commit()


def _keep(core: ScorerCore, pipeline: Pipeline, shelf: Shelf) -> None:
    for unit, partitions in units_of(pipeline, core.positions).items():
        positions = {p: PartitionPosition(core.positions[p]) for p in partitions}
        filters = {p: core.intake.filter_of(p) for p in partitions}
        shelf.put(capture(pipeline, unit, core.store, filters, positions, core.seq))


def _take_in(core: ScorerCore, pipeline: Pipeline, shelf: Shelf) -> None:
    for unit, partitions in units_of(pipeline, core.positions).items():
        _, snapshot = next(shelf.newest_first(unit))
        install(snapshot, core.store, {p: core.intake.filter_of(p) for p in partitions})


if __name__ == "__main__":
    print(json.dumps(asdict(measure(int(sys.argv[1])))))
