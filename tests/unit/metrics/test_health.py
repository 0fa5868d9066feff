"""Probes: a process is ready while its loop turns, and alive while it may come round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client import CollectorRegistry

from streams.broker.ports import choose_ports
from streams.metrics import Health, Listen, serving_metrics

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("streams.metrics.health.time", clock)
    return clock


def test_who_starts_is_alive_and_not_ready(clock: Clock) -> None:
    health = Health(ready_s=15, alive_s=3_600)
    clock.now += 3_600
    assert (health.ready, health.alive) == (False, True)
    clock.now += 1
    assert (health.ready, health.alive) == (False, False)


def test_who_turns_is_ready_and_who_stalls_is_not(clock: Clock) -> None:
    health = Health(ready_s=15, alive_s=3_600)
    clock.now += 3_000
    health.beat()
    assert (health.ready, health.alive) == (True, True)
    clock.now += 16
    assert (health.ready, health.alive) == (False, True)
    clock.now += 3_600
    assert (health.ready, health.alive) == (False, False)
    health.beat()
    assert (health.ready, health.alive) == (True, True)


def test_probes_are_answered_beside_the_metrics_and_nothing_else_is(tmp_path: Path) -> None:
    (port,) = choose_ports(tmp_path / "ports.json", 1)
    health, at = Health(), f"http://127.0.0.1:{port}"
    with serving_metrics(CollectorRegistry(), health, Listen(port)):

        def status(path: str) -> int:
            return httpx.get(at + path, timeout=30).status_code

        assert (status("/livez"), status("/readyz")) == (200, 503)
        health.beat()
        assert (status("/readyz"), status("/metrics"), status("/")) == (200, 200, 404)
