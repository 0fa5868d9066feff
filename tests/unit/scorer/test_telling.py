"""A scorer's work as metrics and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from prometheus_client import generate_latest

from feature_store.clock import StreamClock
from streams.metrics import ScorerMetrics
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.evidence import Evidence
from streams.scorer.records import Refused, SourceRecord, StepResult
from streams.scorer.telling import Telling, action_counts, fallback_counts
from tests.support.payments import MONDAY, encoded, private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from streams.kafka import Consumer

NOTHING = np.zeros(4)


class Fetched:
    """A consumer that was told where a partition ends."""

    def get_watermark_offsets(self, partition: Any, *, cached: bool) -> tuple[int, int]:
        assert cached
        return 0, {0: 10, 1: -1_001}[partition.partition]


class Told:
    """A telling scorer, and what it told."""

    def __init__(self, folder: Path) -> None:
        _, pipeline = private_pipeline(folder, "unit")
        self.clock = StreamClock()
        self.core = ScorerCore(pipeline, self.clock)
        self.alerts: list[str] = []
        self.metrics = ScorerMetrics("unit", 0)
        consumer = cast("Consumer", Fetched())
        self.telling = Telling(pipeline, self.metrics, self.core, consumer, self.clock, self._alert)

    def _alert(self, kind: str, text: str, details: Any) -> None:
        self.alerts.append(f"{kind}: {text} {details['share']}")

    def lines(self) -> set[str]:
        return set(generate_latest(self.metrics.registry).decode().splitlines())


def record(number: int) -> SourceRecord:
    key, value = encoded(number)
    return SourceRecord(0, number, key, value, MONDAY // 1_000, MONDAY)


def test_a_step_is_told_and_a_bad_share_alerts_once(tmp_path: Path) -> None:
    told = Told(tmp_path)
    records = [record(number) for number in range(200)]
    refused = [Refused(each, "empty", "no value") for each in records[:10]]
    result = StepResult(
        refused=refused, duplicates=1, actions={"approve": 189}, fallbacks={"cold_start": 189}
    )
    for _ in range(2):
        told.telling.stepped(records, result)
    told.telling.aborted()
    (alert,) = told.alerts
    assert alert.startswith("dead_letter_share: 10 of 200 records within 5m became dead letters; ")
    assert alert.endswith(" 0.05")
    assert told.lines() >= {
        "sluicegate_records_total 400.0",
        'sluicegate_dead_letters_total{reason="empty"} 20.0',
        'sluicegate_decisions_total{action="approve"} 378.0',
        "sluicegate_aborted_steps_total 1.0",
    }


def test_how_it_stands_is_told_between_steps(tmp_path: Path) -> None:
    told = Told(tmp_path)
    for partition in (0, 1):
        told.core.add_partition(partition, 3)
    told.core.step([record(3)], Acting(0, None))
    told.core.commit()
    told.telling.turn(Acting(7, None), 12)
    told.telling.turn(Acting(8, None), 12)  # a second has not passed
    assert told.lines() >= {
        "sluicegate_partitions 2.0",
        'sluicegate_lag_records{partition="0"} 6.0',
        'sluicegate_lag_records{partition="1"} 0.0',  # not told yet
        "sluicegate_release_epoch 7.0",
        "sluicegate_policy_offset 12.0",
        "sluicegate_state_ids 1.0",
        'sluicegate_model_info{engine="",model=""} 1.0',
    }


def test_what_a_step_decided_is_counted() -> None:
    evidence = Evidence(
        policy_actions=np.array([0, 0, 2, 1], np.int8),
        actions=np.array([0, 0, 2, 0], np.int8),
        propensities=NOTHING,
        rules=[[]] * 4,
        scores=NOTHING,
        margins=NOTHING,
        models=[None] * 4,
        engines=[None] * 4,
        fallbacks=["cold_start", None, "deadline", "cold_start"],
        reasons=[[]] * 4,
        shadows=[{}] * 4,
        decided_at=0,
    )
    assert action_counts(evidence) == {"approve": 3, "review": 0, "decline": 1}
    assert fallback_counts(evidence) == {"cold_start": 2, "deadline": 1}
