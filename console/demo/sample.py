"""What is going on right now, from the monitor, the keeper and the observer."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from console.demo.observer import Percentiles, read_observed
from feature_store.errors import SluicegateError
from training.keeper.client import KeeperClient

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_S = 1.0
_RUNS_EVERY_S = 1.0

TOO_EARLY = "too early (not enough matured labels)"
"""The state of a run that had nothing to learn from yet."""


@dataclass(frozen=True)
class ModelLine:
    """One model version: what it decided, and its average precision once the truth is in."""

    version: str
    events: int
    frauds: int
    average_precision: float | None


@dataclass(frozen=True)
class Sample:
    """One look; zero and None where nothing is known yet."""

    stream_time: str | None = None
    events: int = 0
    events_per_s: float = 0.0
    dead_letters: int = 0
    repeats: int = 0
    actions: dict[str, int] = field(default_factory=dict)
    epoch: int = 0
    models: list[ModelLine] = field(default_factory=list)
    latency: Percentiles = field(default_factory=Percentiles)
    runs: dict[str, int] = field(default_factory=dict)


class Sampler:
    """Looks at a running system; a part that does not answer leaves its fields as they were."""

    def __init__(self, monitor_url: str, state_dir: Path, observed: Path) -> None:
        self._monitor = httpx.Client(base_url=monitor_url, timeout=_TIMEOUT_S, trust_env=False)
        self._state_dir = state_dir
        self._observed = observed
        self._status: dict[str, Any] = {}
        self._runs: dict[str, int] = {}
        self._runs_due = 0.0
        self._open = ExitStack()
        self._keeper: KeeperClient | None = None

    def look(self) -> Sample:
        """What is going on now."""
        with suppress(httpx.HTTPError):
            self._status = self._monitor.get("/status.json").raise_for_status().json()
        if time.monotonic() >= self._runs_due:
            self._runs_due = time.monotonic() + _RUNS_EVERY_S
            self._look_at_runs()
        return sample_of(self._status, self._runs, read_observed(self._observed).recent)

    def close(self) -> None:
        """Let go of the connections."""
        self._monitor.close()
        self._forget_keeper()

    def _look_at_runs(self) -> None:
        try:
            if self._keeper is None:
                self._keeper = self._open.enter_context(KeeperClient(self._state_dir))
            self._runs = dict(Counter(_state(run) for run in self._keeper.runs()))
        except SluicegateError:  # a keeper that is started again has another address and token
            self._forget_keeper()

    def _forget_keeper(self) -> None:
        self._open.close()
        self._keeper = None


def _state(run: dict[str, Any]) -> str:
    early = run["state"] == "refused" and (run["result"] or {}).get("too_little_data")
    return TOO_EARLY if early else str(run["state"])


def sample_of(status: dict[str, Any], runs: dict[str, int], latency: Percentiles) -> Sample:
    """Put together what the monitor's ``status``, the keeper's ``runs`` and the observer say."""
    if not status:
        return Sample(latency=latency, runs=runs)
    return Sample(
        stream_time=status["stream_time"],
        events=status["events"],
        events_per_s=status["rates"]["wall"]["events_per_s"],
        dead_letters=status["dead_letters"],
        repeats=status["duplicates"],
        actions=status["actions"],
        epoch=status["release"] or 0,
        models=[
            ModelLine(
                one["version"],
                one["events"],
                one["quality"]["frauds"],
                one["quality"]["average_precision"],
            )
            for one in status["models"]
        ],
        latency=latency,
        runs=runs,
    )
