"""Days of payments as scorers and analysts would have written them, and the nights that learn from them.

A night is named after the day that begins with it: night ``n`` is due at its midnight and judges what
happened on day ``n - 2``, since labels mature in a day.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.log import LogMeta, encode_log, log_schema
from feature_store.units import to_text
from streams.kafka import plain_producer, read_to_end, transactional_producer
from streams.messages import Alert
from training.keeper.client import KeeperClient, KeeperUnreachableError
from training.publish import read_models

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Release

START = 1_767_225_600_000_000  # 2026-01-01
MINUTE = 60_000_000
PER_DAY = 1_440
DAY = PER_DAY * MINUTE

PIPELINE: dict[str, Any] = {
    "clock": "stream",
    "event": {
        "id": "event_id",
        "time": "event_time",
        "key": "card",
        "fields": {
            "event_id": "string",
            "event_time": "timestamp",
            "card": "string",
            "amount": "decimal(12,2)",
            "distance": "float",
        },
    },
    "features": {"rows": {"amount_eur": "amount", "far": "distance"}},
    "outcomes": {"sources": {"analyst": "24h"}},
    "decision": {"costs": {"amount": "amount", "review": 4, "false_decline": 15}},
    "training": {
        "schedule": "0 0 * * *",
        "judged": "24h",
        "history": "5d",
        "min_events": 1_000,
        "parameters": {"learning_rate": 0.2, "num_leaves": 7},
    },
}


def declaration(name: str) -> dict[str, Any]:
    """``PIPELINE`` on topics of its own, as a pipeline file has it."""
    topics = ["events", "decisions", "outcomes", "features", "models", "alerts", "policy", "explanations"]
    names: dict[str, Any] = {topic: f"{name}-{topic}" for topic in topics}
    names |= {"dead_letters": f"{name}-dead", "entity_outcomes": f"{name}-deltas", "partitions": 1}
    return {"pipeline": name, "topics": names, **PIPELINE}


@dataclass(frozen=True)
class Day:
    """What happened on one day; ``fraud`` is the truth."""

    number: int
    amount: NDArray[np.float64]
    far: NDArray[np.float64]
    fraud: NDArray[np.bool_]

    @classmethod
    def usual(cls, number: int) -> Day:
        """Fraud is dear and far away; a tenth of it is neither."""
        random = np.random.default_rng(number)
        fraud = random.random(PER_DAY) < 0.06
        shown = fraud & (random.random(PER_DAY) < 0.9)
        amount = random.gamma(2.0, 20.0, PER_DAY) + np.where(shown, 80.0, 0.0)
        far = random.gamma(2.0, 10.0, PER_DAY) + np.where(shown, 25.0, 0.0)
        return cls(number, amount.round(2), far.round(1), fraud)

    @property
    def ids(self) -> list[str]:
        """Of its events."""
        return [f"e{self.number}-{minute}" for minute in range(PER_DAY)]


@dataclass
class Nights:
    """One stream with a real keeper behind it; days are played one after the other."""

    pipeline: Pipeline
    bootstrap: str
    state: Path
    days: dict[int, Day] = field(default_factory=dict)

    @property
    def today(self) -> int:
        """The day that was played last."""
        return max(self.days)

    def wait_until_up(self) -> None:
        """Until the keeper answers."""
        while True:
            with suppress(KeeperUnreachableError), KeeperClient(self.state) as keeper:
                keeper.status()
                return
            pause()

    def play(self, day: Day) -> None:
        """Write its events, which makes its night due."""
        self.days[day.number] = day
        _write_events(self.pipeline, self.bootstrap, day)

    def tell(self, day: int, fraud: NDArray[np.bool_], *, everything: bool = False) -> None:
        """Say what analysts found on ``day``, by noon of the next: the frauds, or all events.

        What was said before about the same events is replaced.
        """
        if not everything:
            fraud_ids = [name for name, one in zip(self.days[day].ids, fraud, strict=True) if one]
            self._say([(name, "fraud") for name in fraud_ids], day)
            return
        labels = np.where(fraud, "fraud", "legitimate").tolist()
        self._say(list(zip(self.days[day].ids, labels, strict=True)), day)

    def night(self, day: Day | None = None) -> dict[str, Any]:
        """Play the next day, as ``begin`` does; its night's run."""
        return self.run_of(self.begin(day))

    def begin(self, day: Day | None = None) -> int:
        """Play the next day, a usual one unless it is given, with the truth told in time; its night."""
        number = self.today + 1
        self.tell(number - 2, self.days[number - 2].fraud)
        self.play(day or Day.usual(number))
        return number

    def run_of(self, night: int) -> dict[str, Any]:
        """The run of ``night``, when it is over."""
        while True:
            run = self._newest_run(night)
            if run is not None and run["state"] not in {"due", "running"}:
                return run
            pause()

    def folder_of(self, night: int) -> Path:
        """Where the trainer of ``night`` works, once it does."""
        while True:
            run = self._newest_run(night)
            if run is not None and (self.state / "runs" / run["run_id"]).exists():
                return self.state / "runs" / str(run["run_id"])
            pause()

    def release(self) -> Release:
        """What acts."""
        release = read_models(self.bootstrap, self.pipeline).release
        assert release is not None
        return release

    def alerts(self) -> list[Alert]:
        """All that were raised, oldest first; but that a day that is written at once makes its night late."""
        found = read_to_end(self.bootstrap, self.pipeline.topics.alerts)
        alerts = [msgspec.json.decode(message.value() or b"", type=Alert) for message in found]
        return [alert for alert in alerts if alert.kind != "missed_run"]

    def _newest_run(self, night: int) -> dict[str, Any] | None:
        with KeeperClient(self.state) as keeper:
            runs = [run for run in keeper.runs() if run["as_of"] == START + night * DAY]
        return runs[-1] if runs else None

    def _say(self, labels: list[tuple[str, str]], day: int) -> None:
        """At noon after ``day``, or now where that is past: nothing may be known before it is said."""
        at = max(START + (day + 1) * DAY + DAY // 2, START + self.today * DAY + DAY - MINUTE)
        producer = plain_producer(self.bootstrap)
        for name, label in labels:
            outcome = {"event_id": name, "label": label, "observed_at": to_text(at), "source": "analyst"}
            header = ("arrived_at", str(at // 1_000).encode())
            producer.produce(self.pipeline.topics.outcomes, json.dumps(outcome), headers=[header])
            producer.poll(0)
        assert producer.flush(60) == 0


def pause() -> None:
    """A moment between two questions."""
    threading.Event().wait(0.05)


def _write_events(pipeline: Pipeline, bootstrap: str, day: Day) -> None:
    """As a scorer's feature log: let through, by nobody's model."""
    scorer = transactional_producer(bootstrap, f"{pipeline.name}.scorer")
    scorer.init_transactions(30)
    scorer.begin_transaction()
    step = PER_DAY // 4
    for first in range(0, PER_DAY, step):
        scorer.produce(
            pipeline.topics.features, value=_log(pipeline, day, slice(first, first + step)), partition=0
        )
    scorer.commit_transaction(30)


def _log(pipeline: Pipeline, day: Day, part: slice) -> bytes:
    offsets = [day.number * PER_DAY + minute for minute in range(PER_DAY)[part]]
    times = [START + offset * MINUTE for offset in offsets]
    count = len(offsets)
    values: dict[str, list[Any]] = {
        "event_id": day.ids[part],
        "event_time": times,
        "card": [f"c{offset % 397}" for offset in offsets],
        "stage": [0] * count,
        "seq": offsets,
        "source_partition": [0] * count,
        "source_offset": offsets,
        "record_time": [time // 1_000 for time in times],
        "arrived_at": times,
        "body_digest": [b"0" * 16] * count,
        "amount_eur": day.amount[part].tolist(),
        "far": [None if np.isnan(value) else value for value in day.far[part].tolist()],
        "policy_action": ["approve"] * count,
        "action": ["approve"] * count,
        "propensity": [1.0] * count,
        "rules": [[]] * count,
        "decided_at": times,
        "decided_seq": [offsets[-1]] * count,
        "late": [False] * count,
    }
    schema = log_schema(pipeline)
    arrays = [pa.array(values.get(column.name, [None] * count), column.type) for column in schema]
    meta = LogMeta(
        pipeline=pipeline.name,
        topic=pipeline.topics.events,
        partition=0,
        first_offset=offsets[0],
        next_offset=offsets[-1] + 1,
        release_epoch=0,
        policy_offset=-1,
        duplicates=[],
        dead_letters=[],
        hashes={feature.name: feature.hash for feature in pipeline.feature_vector},
    )
    return encode_log(pa.RecordBatch.from_arrays(arrays, schema=schema), meta)
