"""A small pipeline and snapshots for it, made from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.declaration.pipeline import Pipeline
from feature_store.log import log_schema
from training.contract import OUTCOMES, SCORED

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = 1_767_225_600_000_000  # 2026-01-01
AS_OF = START + 10 * DAY

_INSTANT = pa.timestamp("us")
_OUTCOME_COLUMNS: dict[str, pa.DataType] = {
    "event_id": pa.string(),
    "label": pa.string(),
    "source": pa.string(),
    "observed_at": _INSTANT,
    "arrived_at": _INSTANT,
    "partition": pa.int32(),
    "offset": pa.int64(),
}
OUTCOME_SCHEMA = pa.schema(_OUTCOME_COLUMNS)


def declare(**training: Any) -> Pipeline:
    """The pipeline of ``declaration``."""
    return Pipeline.model_validate(declaration(**training))


def declaration(**training: Any) -> dict[str, Any]:
    """A pipeline with three features, maturing after three days, judged on one."""
    return {
        "pipeline": "payments",
        "event": {
            "id": "event_id",
            "time": "event_time",
            "key": "customer_id",
            "fields": {
                "event_id": "string",
                "event_time": "timestamp",
                "customer_id": "string",
                "amount": "decimal(12,2)",
            },
        },
        "features": {"rows": {"amount_eur": "amount", "doubled": "amount * 2", "noise": "1"}},
        "outcomes": {"sources": {"analyst": "1d", "chargeback": "3d"}},
        "decision": {"costs": {"missed_fraud": 100, "review": 4, "false_decline": 15}},
        "training": {
            "judged": "24h",
            "min_events": 500,
            "min_frauds": 30,
            "gate": {"min_frauds": 10},
            "parameters": {"min_data_in_leaf": 5} if training.get("algorithm") != "xgboost" else {},
            **training,
        },
    }


@dataclass
class Snapshot:
    """Rows to be written; what is not said of a row is that it was approved without a model."""

    pipeline: Pipeline
    scored: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    def event(self, name: str, at: int, **columns: Any) -> None:
        """An event that was let through, unless ``columns`` say otherwise."""
        self.scored.append(
            {
                "event_id": name,
                "event_time": at,
                "arrived_at": at,
                "source_partition": 0,
                "source_offset": len(self.scored),
                "action": "approve",
                "policy_action": "approve",
                "propensity": 1.0,
                **columns,
            }
        )

    def outcome(self, name: str, label: str, source: str, arrived: int) -> None:
        """An outcome; later calls stand later on the topic."""
        self.outcomes.append(
            {
                "event_id": name,
                "label": label,
                "source": source,
                "observed_at": arrived,
                "arrived_at": arrived,
                "partition": 0,
                "offset": len(self.outcomes),
            }
        )

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """The two tables as the keeper writes them."""
        scored = pa.Table.from_pylist(self.scored, log_schema(self.pipeline))
        return scored, pa.Table.from_pylist(self.outcomes, OUTCOME_SCHEMA)

    def write(self, folder: Path) -> None:
        """Write ``snapshot/`` into a run folder."""
        (folder / "snapshot").mkdir(parents=True, exist_ok=True)
        for table, file in zip(self.tables(), (SCORED, OUTCOMES), strict=True):
            pq.write_table(table, folder / "snapshot" / file)


def payments(pipeline: Pipeline, rows: int = 4_000, seed: int = 1) -> Snapshot:
    """Ten days of payments; most of those over 140 are frauds, reported two days later."""
    random = np.random.default_rng(seed)
    snapshot = Snapshot(pipeline)
    times = np.sort(random.integers(START, AS_OF, rows))
    amounts = random.gamma(2.0, 30.0, rows).round(2)
    frauds = random.random(rows) < np.where(amounts > 140, 0.8, 0.01)
    noise = random.random(rows)
    for i, (at, amount, fraud) in enumerate(zip(times.tolist(), amounts.tolist(), frauds, strict=True)):
        snapshot.event(
            f"e{i}",
            at,
            customer_id=f"c{i % 300}",
            amount_eur=amount,
            doubled=2 * amount,
            noise=float(noise[i]),
        )
        if fraud:
            snapshot.outcome(f"e{i}", "fraud", "chargeback", at + 2 * DAY)
    return snapshot
