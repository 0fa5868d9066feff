"""A drift of the stream: told once, also by a monitor that starts again, trained for, and over in the end."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import msgspec
import pytest

from feature_store.units import from_text, to_micros
from streams.messages import Alert
from streams.sources import Scenario, publish, simulate
from tests.support.kafka import feed_of, read_all
from tests.support.payments import private_pipeline
from tests.support.processes import keeper, monitor, scorer
from training.keeper.client import KeeperClient, KeeperUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker
    from streams.sources import Emission

pytestmark = pytest.mark.acceptance

_Answer = TypeVar("_Answer")
HOUR = 3_600_000_000
DECLARED: dict[str, Any] = {
    "clock": "stream",
    "outcomes": {"sources": {"analyst": "24h", "chargeback": "24h"}},
    "training": {
        "schedule": "0 0 1 1 *",
        "judged": "24h",
        "min_events": 1_000,
        "min_frauds": 10,
        "gate": {"min_frauds": 5},
        "triggers": {"drift": True, "not_within": "9h"},
    },
    "monitoring": {"every": "30m", "raise_after": 2, "clear_after": 3, "drift": {"least": 400}},
}
SIZE: dict[str, Any] = {"days": 8, "events_per_day": 1_500, "customers": 600, "terminals": 300}
USUAL = Scenario(**SIZE, fraud_share=0.05)
DEAR = Scenario(**SIZE, fraud_share=0.05, drift_day=0)
FITTED_ON, DEAR_UNTIL, END = 4 * 24, 5 * 24 + 6, 7 * 24
AMOUNT = "feature amount_eur"


def test_drift_is_told_once_and_trained_for(embedded_broker: Broker, unique: str, tmp_path: Path) -> None:
    config, pipeline = private_pipeline(tmp_path, unique, **DECLARED)
    bootstrap, port = embedded_broker.bootstrap, _free_port()
    feed_of(pipeline, bootstrap)
    played = Played(bootstrap, pipeline, port)
    with scorer(config, bootstrap), keeper(config, bootstrap):
        client = _client(tmp_path / "state")
        with monitor(config, bootstrap, port) as watching:
            played.until(USUAL, FITTED_ON, step=FITTED_ON)
            _trained(client, client.train())
            champion = client.models()["release"]["champion"]
            played.until(USUAL, FITTED_ON + 3)
            assert played.status()["drift"]["reference"] == champion
            assert _told(pipeline, bootstrap, "drift") == []
            while AMOUNT not in _subjects(raised := _told(pipeline, bootstrap, "drift")):
                assert played.hours < DEAR_UNTIL, played.status()["drift"]
                played.until(DEAR, played.hours + 3)
            watching.send_signal(signal.SIGTERM)
            assert watching.wait(30) == 0
        with monitor(config, bootstrap, port):
            played.until(DEAR, played.hours + 6)  # the keeper looks for reasons when its clock goes on
            run = _wait_for(lambda: [each for each in client.runs() if each["why"] == "drift"])
            assert "drifted from what" in run[0]["cause"]
            again = _told(pipeline, bootstrap, "drift")
            while AMOUNT not in _subjects(_told(pipeline, bootstrap, "drift_cleared")):
                assert played.hours < END, played.status()["drift"]
                played.until(USUAL, played.hours + 6, step=6)
    assert again[: len(raised)] == raised
    assert _subjects(again).count(AMOUNT) == 1
    assert max(map(_subjects(again).count, _subjects(again))) == 1, "raised twice"


def _subjects(alerts: list[Alert]) -> list[str]:
    return [subject for alert in alerts for subject in str(alert.details["subjects"]).split(",")]


def _told(pipeline: Pipeline, bootstrap: str, kind: str) -> list[Alert]:
    found = [
        msgspec.json.decode(record.value, type=Alert)
        for record in read_all(bootstrap, pipeline.topics.alerts)
    ]
    return [alert for alert in found if alert.kind == kind]


@dataclass
class Played:
    """The stream so far, played stretch after stretch, each when the one before was looked at."""

    bootstrap: str
    pipeline: Pipeline
    port: int
    hours: int = 0
    events: int = 0
    emissions: dict[int, list[Emission]] = field(default_factory=dict)

    def until(self, scenario: Scenario, hours: int, step: int = 3) -> None:
        """Play what ``scenario`` has up to this hour, in stretches of so many hours."""
        if id(scenario) not in self.emissions:
            self.emissions[id(scenario)] = list(simulate(scenario))
        start = to_micros(scenario.start)
        while self.hours < hours:
            begin, end = (start + (self.hours + more) * HOUR for more in (0, step))
            stretch = [each for each in self.emissions[id(scenario)] if begin <= each.arrival_us < end]
            topics = self.pipeline.topics
            sent = publish(stretch, self.bootstrap, {"events": topics.events, "outcomes": topics.outcomes})
            self.events += sent.events
            self.hours += step
            _wait_for(self._looked_at)

    def status(self) -> dict[str, Any]:
        """What the monitor says."""
        found: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self.port}/status.json", timeout=30).json()
        return found

    def _looked_at(self) -> bool:
        with suppress(httpx.TransportError):
            status = self.status()
            counted = status["events"] + status["duplicates"] + status["dead_letters"]
            looked = status["drift"]["looked_at"]
            if counted == self.events and looked is not None:
                return from_text(status["stream_time"]) - from_text(looked) < HOUR / 2
        return False


def _trained(client: KeeperClient, run_id: str) -> None:
    def over() -> bool:
        (run,) = (each for each in client.runs() if each["run_id"] == run_id)
        assert run["state"] in {"due", "running", "passed"}, run
        return bool(run["state"] == "passed")

    _wait_for(over)


def _client(state: Path) -> KeeperClient:
    def reached() -> KeeperClient | None:
        with suppress(KeeperUnreachableError):
            client = KeeperClient(state)
            client.status()
            return client
        return None

    return _wait_for(reached)


def _wait_for(answer: Callable[[], _Answer | None]) -> _Answer:
    while not (found := answer()):
        threading.Event().wait(0.1)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
