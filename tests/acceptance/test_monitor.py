"""The monitor as a real process: exact counts of what was committed, and a clean end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pyarrow as pa
import pytest

from feature_store.declaration.load import load_pipeline
from feature_store.log import LogMeta, encode_log, log_schema
from feature_store.units import to_text
from streams.kafka import ensure_topics, pipeline_topics, transactional_producer
from streams.messages import Label, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker
    from streams.kafka import Producer

_DAY = 86_400_000_000
_START = 20_000 * _DAY
_PATIENCE_S = 60.0

_CONFIG = """
pipeline: {name}
clock: stream
topics:
  events: {name}-events
  decisions: {name}-decisions
  outcomes: {name}-outcomes
  entity_outcomes: {name}-entity-outcomes
  features: {name}-features
  models: {name}-models
  dead_letters: {name}-dead-letters
  alerts: {name}-alerts
  partitions: 2
event:
  id: payment
  time: paid_at
  key: card
  fields:
    payment: string
    paid_at: timestamp
    card: string
    amount: "decimal(12,2)"
features:
  rows:
    cents: amount
outcomes:
  sources: {{analyst: 24h, chargeback: 48h}}
decision:
  costs: {{amount: amount, review: 4.0, false_decline: 15.0}}
"""

_PROCESS = """
import sys
from pathlib import Path
from streams.monitor import MonitorSettings, run
run(MonitorSettings(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
"""


@dataclass(frozen=True)
class Stream:
    """Topics of one test, and a way to write to them."""

    pipeline: Pipeline
    config: Path
    bootstrap: str
    producer: Producer

    def decisions(
        self, partition: int, first: int, rows: list[dict[str, Any]], **accounted: list[int]
    ) -> None:
        """One feature log message whose rows stand at source offsets from ``first`` on."""
        schema = log_schema(self.pipeline)
        batch = pa.RecordBatch.from_pylist(
            [{**_ROW, "source_offset": first + at, **row} for at, row in enumerate(rows)], schema=schema
        )
        meta = LogMeta(
            pipeline=self.pipeline.name,
            topic=self.pipeline.topics.events,
            partition=partition,
            first_offset=first,
            next_offset=first + len(rows) + sum(map(len, accounted.values())),
            release_epoch=3,
            policy_offset=0,
            duplicates=accounted.get("duplicates", []),
            dead_letters=accounted.get("dead_letters", []),
            hashes={},
        )
        self.producer.produce(self.pipeline.topics.features, encode_log(batch, meta), partition=partition)

    def outcome(self, event_id: str, label: Label, arrived_at: int, source: str = "analyst") -> None:
        """One outcome."""
        message = Outcome(event_id=event_id, label=label, observed_at=to_text(arrived_at), source=source)
        self.producer.produce(
            self.pipeline.topics.outcomes,
            msgspec.json.encode(message),
            key=event_id,
            headers=[("arrived_at", str(arrived_at // 1_000).encode())],
        )


_ROW: dict[str, Any] = {
    "card": "c1",
    "stage": 0,
    "source_partition": 0,
    "record_time": 0,
    "body_digest": bytes(16),
    "policy_action": "approve",
    "action": "approve",
    "propensity": 1.0,
    "rules": [],
    "model": "m1",
    "engine": "native",
    "score": 0.01,
    "margin": -4.6,
}


def _row(event_id: str, at: int, **values: Any) -> dict[str, Any]:
    return {"payment": event_id, "paid_at": at, "event_id": event_id, "event_time": at, "arrived_at": at} | {
        "decided_at": at,
        **values,
    }


@pytest.fixture(params=[pytest.param("apache_kafka", marks=pytest.mark.kafka), "embedded_broker"])
def stream(request: pytest.FixtureRequest, unique: str, tmp_path: Path) -> Stream:
    broker: Broker = request.getfixturevalue(request.param)
    config = tmp_path / "pipeline.yaml"
    config.write_text(_CONFIG.format(name=unique), encoding="utf-8")
    pipeline = load_pipeline(config)
    ensure_topics(broker.bootstrap, pipeline_topics(pipeline))
    producer = transactional_producer(broker.bootstrap, f"{unique}-writer")
    producer.init_transactions(30.0)
    return Stream(pipeline, config, broker.bootstrap, producer)


@contextmanager
def _monitor(stream: Stream, port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _PROCESS, str(stream.config), stream.bootstrap, str(port)]
    process = subprocess.Popen(
        [*command, str(stream.config.parent / "state")], stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _status_when(process: subprocess.Popen[str], port: int, **expected: Any) -> dict[str, Any]:
    """The status once every dotted path in ``expected`` has its value."""
    deadline = time.monotonic() + _PATIENCE_S
    status: dict[str, Any] = {}
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        try:
            status = httpx.get(f"http://127.0.0.1:{port}/status.json", timeout=30).json()
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if all(_at(status, path) == value for path, value in expected.items()):
            return status
        time.sleep(0.05)
    pytest.fail(f"never saw {expected}; last: {status}")


def _at(status: Any, path: str) -> Any:
    for part in path.split("__"):
        status = status[part]
    return status


def _publish_first_day(stream: Stream) -> None:
    """Five decisions on two partitions, one duplicate, two dead letters; then a batch that is aborted."""
    producer = stream.producer
    producer.begin_transaction()
    stream.decisions(
        0,
        0,
        [
            _row("quiet", _START, score=0.02),
            _row("stolen", _START, score=0.9, policy_action="review", action="review", propensity=0.02),
            _row("missed", _START, score=0.3),
        ],
        duplicates=[3],
    )
    stream.decisions(
        1,
        10,
        [
            _row("declined", _START, score=0.95, policy_action="decline", action="decline", propensity=0.02),
            _row("control", _START, score=0.6, policy_action="review", action="approve", propensity=0.02),
        ],
        dead_letters=[12, 13],
    )
    stream.outcome("stolen", Label.FRAUD, _START + _DAY // 2)
    stream.outcome("missed", Label.FRAUD, _START + _DAY)
    producer.commit_transaction(30.0)
    producer.begin_transaction()
    stream.decisions(0, 4, [_row("never", _START + 9 * _DAY)])
    stream.outcome("quiet", Label.FRAUD, _START + 9 * _DAY)
    producer.flush(30.0)
    producer.abort_transaction(30.0)


def _publish_third_day(stream: Stream) -> None:
    """A cold-start decision two days later, which makes the first day mature."""
    stream.producer.begin_transaction()
    stream.decisions(0, 4, [_row("later", _START + 2 * _DAY, score=None, margin=None, model=None)])
    stream.producer.commit_transaction(30.0)


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60.0)
    assert process.returncode == 0, errors


@pytest.mark.acceptance
def test_counts_are_those_of_committed_records_and_restart_finds_them_again(stream: Stream) -> None:
    _publish_first_day(stream)
    port = _free_port()
    with _monitor(stream, port) as process:
        first = _status_when(process, port, events=5, outcomes__read=2, quality__pending=5)
        assert first["duplicates"] == 1
        assert first["dead_letters"] == 2
        assert first["actions"] == {"approve": 3, "review": 1, "decline": 1}
        assert first["release"] == 3
        assert first["quality"]["total"]["labelled"] == 0
        _publish_third_day(stream)
        last = _status_when(process, port, events=6, quality__pending=1)
        _stop(process)
    matured = last["quality"]["total"]
    assert matured["labelled"] == 4
    assert matured["frauds"] == 2
    assert matured["unlabelled"] == 1
    assert matured["true_positives"] == matured["false_positives"] == 1
    # The control group stands for all that was stopped; what was said about the others is not judged by.
    assert matured["precision"] == matured["recall"] == 0.0
    assert matured["average_precision"] == pytest.approx(1 / 51, abs=1e-6)
    assert {model["version"]: model["events"] for model in last["models"]} == {"m1": 5, "cold_start": 1}
    with _monitor(stream, port) as process:
        again = _status_when(process, port, events=6, outcomes__read=2, quality__pending=1)
        page = httpx.get(f"http://127.0.0.1:{port}/", timeout=30)
        told = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
        alive = httpx.get(f"http://127.0.0.1:{port}/livez", timeout=30)
        _stop(process)
    for key in ("duplicates", "dead_letters", "actions", "models", "releases", "outcomes", "stream_time"):
        assert again[key] == last[key]
    assert again["quality"]["total"] == matured
    assert again["problems"] == {"repeated": 0, "unreadable": 0}
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    assert (told.status_code, alive.status_code) == (200, 200)
    assert "sluicegate_monitor_events_total 6.0" in told.text


@pytest.mark.acceptance
def test_garbage_is_counted_and_left(stream: Stream) -> None:
    stream.producer.begin_transaction()
    stream.producer.produce(stream.pipeline.topics.features, b"not arrow", partition=0)
    stream.producer.produce(stream.pipeline.topics.outcomes, b'{"event_id": 7}')
    stream.producer.commit_transaction(30.0)
    _publish_first_day(stream)
    port = _free_port()
    with _monitor(stream, port) as process:
        _status_when(process, port, problems__unreadable=2, events=5, outcomes__read=2)
        _stop(process)


@pytest.mark.acceptance
def test_a_missing_topic_is_named(stream: Stream) -> None:
    config = stream.config.read_text(encoding="utf-8")
    stream.config.write_text(config.replace("-features", "-nowhere"), encoding="utf-8")
    with _monitor(stream, _free_port()) as process:
        _, errors = process.communicate(timeout=60.0)
    assert process.returncode != 0
    assert f"{stream.pipeline.name}-nowhere" in errors
