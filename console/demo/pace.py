"""The pace of the demo's stream: so many stream seconds per real second, unless it is held.

A machine that is busy with other things may not keep up: a night's training would still run when the next one
is due, as it never does in real life. Then stream time stands still until the machine has caught up.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from console.demo.sample import Sample
    from streams.sources import Emission

_LOOK_SECONDS = 0.05
_SLACK_SECONDS = 0.002
_MOST_BEHIND = 5_000
_MOST_RUNS = 1


class StreamPace:
    """Lets emissions out in stream time; ``hold`` and ``go_on`` may be called from another thread."""

    def __init__(self, speed: float, begin_us: int, end_us: int) -> None:
        """``speed`` is stream seconds per real second; what arrives after ``end_us`` is not let out."""
        self._speed = speed
        self._begin_us = begin_us
        self._end_us = end_us
        self._held = threading.Event()
        self._stop = threading.Event()

    def hold(self) -> None:
        """Let stream time stand still."""
        self._held.set()

    def go_on(self) -> None:
        """Let stream time run again."""
        self._held.clear()

    def stop(self) -> None:
        """End the stream now."""
        self._stop.set()

    def paced(self, emissions: Iterable[Emission]) -> Iterator[Emission]:
        """Each emission when it is due."""
        begun = time.monotonic()
        for emission in emissions:
            if emission.arrival_us > self._end_us:
                return
            offset = (emission.arrival_us - self._begin_us) / 1e6 / self._speed
            while (wait := begun + offset - time.monotonic()) > _SLACK_SECONDS or self._held.is_set():
                before = time.monotonic()
                if self._stop.wait(min(max(wait, _SLACK_SECONDS), _LOOK_SECONDS)):
                    return
                if self._held.is_set():
                    begun += time.monotonic() - before
            if self._stop.is_set():
                return
            yield emission


def why_wait(sample: Sample, sent: int) -> str | None:
    """What the stream has to wait for, ``sent`` events being on Kafka; None when nothing is in the way."""
    runs = sample.runs.get("due", 0) + sample.runs.get("running", 0)
    if runs > _MOST_RUNS:
        return "the last night's training"
    if sent - (sample.events + sample.dead_letters + sample.repeats) > _MOST_BEHIND:
        return "the scorers"
    return None
