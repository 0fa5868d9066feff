"""Sending events from the command line: the target, progress, Ctrl-C, and the closing line."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypedDict, overload

from console.local_run import find_bootstrap
from console.pipeline_file import find_config, open_pipeline
from feature_store.units import to_datetime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType, TracebackType

    from feature_store.declaration.pipeline import Pipeline
    from streams.sources import Published


class Hooks(TypedDict):
    """What a run of a source is given to be watched and stopped by."""

    stop: threading.Event
    on_progress: Callable[[Published], None]


class Sending:
    """One run of ``simulate`` or ``replay``; set ``result`` and it is told at the end of the block."""

    def __init__(self, config: Path | None, broker: str | None, state_dir: Path, *, as_json: bool) -> None:
        pipeline = open_pipeline(find_config(config), state_dir)
        self.target: tuple[Pipeline, str] = pipeline, find_bootstrap(broker, state_dir, pipeline)
        self.hooks: Hooks = {"stop": threading.Event(), "on_progress": self._progress}
        self.result: Published | None = None
        self._as_json = as_json
        self._began = time.monotonic()
        self._live = sys.stderr.isatty()

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")
        if self.result is not None:
            sys.stdout.write(told(self._figures(self.result), as_json=self._as_json) + "\n")

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.hooks["stop"].set()

    def _progress(self, so_far: Published) -> None:
        if self._live:
            sys.stderr.write(f"\r\x1b[K{told(self._figures(so_far), as_json=False)}")
            sys.stderr.flush()

    def _figures(self, so_far: Published) -> dict[str, Any]:
        seconds = time.monotonic() - self._began
        return {
            "events": so_far.events,
            "outcomes": so_far.outcomes,
            "seconds": round(seconds, 1),
            "events_per_s": round(so_far.events / max(seconds, 1e-3)),
            "stream_time": to_datetime(so_far.last_arrival_us).isoformat(timespec="seconds"),
        }


def told(figures: dict[str, Any], *, as_json: bool) -> str:
    """Figures as one line."""
    if as_json:
        return json.dumps(figures)
    return ", ".join(f"{name} {value}" for name, value in figures.items())


def stream_start(given: datetime | None, days: int) -> datetime:
    """When a simulated stream begins: as given, else so long ago that it ends now."""
    whole_second = datetime.now(UTC).replace(microsecond=0)
    return as_utc(given) or whole_second - timedelta(days=days)


@overload
def as_utc(moment: datetime) -> datetime: ...
@overload
def as_utc(moment: datetime | None) -> datetime | None: ...
def as_utc(moment: datetime | None) -> datetime | None:
    """A date from the command line, which is UTC unless it says otherwise."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
