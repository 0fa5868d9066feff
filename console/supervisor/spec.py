"""What is run, how it shows that it is ready, and when it is started again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """Where a supervised process stands."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting to be started again"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class SaysReady:
    """Ready when it has logged this event."""

    event: str


@dataclass(frozen=True)
class AnswersAt:
    """Ready when this address answers a GET with 200."""

    url: str


@dataclass(frozen=True)
class ProcessSpec:
    """One process: ``python`` with ``arguments``."""

    name: str
    arguments: tuple[str, ...]
    ready: SaysReady | AnswersAt

    @property
    def command(self) -> list[str]:
        """The whole command line."""
        return [sys.executable, *self.arguments]


@dataclass(frozen=True)
class RestartPolicy:
    """Start again after a pause that doubles; give up after ``patience`` quick failures in a row.

    A process that lived for ``settled`` seconds has earned a fresh count. A status in ``hopeless`` says that
    another start would end the same way (2: the pipeline file is wrong).
    """

    first_pause: float = 0.25
    longest_pause: float = 15.0
    settled: float = 30.0
    patience: int = 5
    hopeless: frozenset[int] = frozenset({2})

    def pause(self, failures: int) -> float:
        """Seconds to wait after the ``failures``-th quick failure in a row."""
        return float(min(self.longest_pause, self.first_pause * 2 ** max(0, failures - 1)))

    def gives_up(self, status: int, failures: int) -> bool:
        """Whether another start makes no sense."""
        return status in self.hopeless or failures >= self.patience
