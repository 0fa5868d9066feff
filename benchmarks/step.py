"""The pure step alone, without Kafka: where the time of one event goes, in microseconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import yaml

from benchmarks.models import LEAVES, TREES, large_model
from benchmarks.stage import SHIPPED
from feature_store.clock import StreamClock
from feature_store.declaration.pipeline import Pipeline
from streams.models.champion import load_champion
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord
from streams.sources import Scenario, simulate

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = 40_000


def main() -> None:
    """Print microseconds per event for several batch sizes, without and with a model."""
    tree = yaml.safe_load(SHIPPED.read_text(encoding="utf-8")) | {"clock": "stream"}
    tree["outcomes"]["control_group"]["key"] = "benchmark"
    pipeline = Pipeline.model_validate(tree)
    records = _records()
    champion = load_champion(*large_model(pipeline, "large", 1), pipeline.feature_vector)
    print(f"{len(records)} simulated payments, {len(pipeline.feature_vector)} features, one core")
    print(f"{'batch':>6} {'rules only':>12} {f'{TREES} trees x {LEAVES} leaves':>24}")
    for batch in (10, 100, 1_000):
        rules = _microseconds(pipeline, records, batch, Acting(0, None))
        model = _microseconds(pipeline, records, batch, Acting(1, champion))
        print(f"{batch:>6} {rules:>9.1f} us {model:>21.1f} us")


def _records() -> list[SourceRecord]:
    events = (e for e in simulate(Scenario(days=3, garbage_share=0.0)) if e.role == "events")
    records = []
    for offset, emission in zip(range(EVENTS), events, strict=False):
        arrived_at = emission.arrival_us
        records.append(SourceRecord(0, offset, emission.key, emission.value, arrived_at // 1_000, arrived_at))
    return records


def _microseconds(pipeline: Pipeline, records: list[SourceRecord], batch: int, acting: Acting) -> float:
    core = ScorerCore(pipeline, StreamClock())
    core.add_partition(0, 0)
    return _timed(lambda: _run(core, records, batch, acting)) / len(records) * 1e6


def _run(core: ScorerCore, records: list[SourceRecord], batch: int, acting: Acting) -> None:
    for start in range(0, len(records), batch):
        core.step(records[start : start + batch], acting)
        core.commit()


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
