"""The cron line, kept on either clock.

APScheduler decides when; the time it decides by is handed to it, so the shipped cron line fires on stream
time exactly as it does on wall time. Its job store carries the next run through a restart; a job is stored as
JSON and nothing is unpickled.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.errors import ConfigError, StorageError
from feature_store.formats import FIRST, check_format, refuse_newer
from feature_store.units import to_datetime, to_micros
from training.keeper.schedule.cron import LocalCron
from training.keeper.schedule.ticked import Due, InPlaceExecutor, JsonJobStore, TickedScheduler

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from apscheduler.job import Job

    from feature_store.declaration.training import TrainingSpec

_JOB = "train"


class _Stored(msgspec.Struct, frozen=True):
    """A job as the job store keeps it."""

    cron: str
    time_zone: str
    next_run: int
    format: int = FIRST

    def __post_init__(self) -> None:
        """Raises NewerFormatError."""
        refuse_newer(self.format)


class Schedule:
    """Fires at each cron time that the clock passes; used by one thread.

    Cron times that went by unseen, for example while the keeper was down, are coalesced into the newest. The
    next run moves on only after ``on_due`` has returned: a crash in between repeats a run, it loses none.
    """

    def __init__(self, path: Path, spec: TrainingSpec, on_due: Callable[[Due], None]) -> None:
        """Keep the next run in the SQLite file ``path``.

        Raises ConfigError for a cron line that is none, StorageError for a file that is not understood.
        """
        _check(path)
        self._stored = _Stored(spec.schedule, spec.time_zone, 0)
        self._trigger = LocalCron(spec.schedule, spec.zone)
        self._on_due = on_due
        self._store = JsonJobStore(f"sqlite:///{path}", self)
        self._scheduler = TickedScheduler(timezone=UTC)
        self._scheduler.add_jobstore(self._store)
        self._executor = InPlaceExecutor()
        self._scheduler.add_executor(self._executor)
        self._scheduler.start()
        job = self._scheduler.get_job(_JOB)
        self._next: int | None = None if job is None else to_micros(job.next_run_time)

    @property
    def next_run(self) -> int | None:
        """When the next run is due (us); None while no time is known yet."""
        return self._next

    def tick(self, now: int) -> None:
        """Fire what is due at ``now`` (us); a clock that has seen nothing (0) fires nothing."""
        if now <= 0:
            return
        if self._next is None:
            self._begin(to_datetime(now))
        if self._next is not None and self._next <= now:
            self._scheduler.tick(to_datetime(now))
            self._next = to_micros(self._scheduler.get_job(_JOB).next_run_time)

    def close(self) -> None:
        """Let go of the file."""
        self._scheduler.shutdown()

    def _fire(self) -> None:
        self._on_due(self._executor.due)

    def _begin(self, now: datetime) -> None:
        first = self._trigger.get_next_fire_time(None, now + timedelta(microseconds=1))
        if first is None:
            raise ConfigError(f"training.schedule: {self._stored.cron!r} never comes")
        self._scheduler.add_job(
            self._fire,
            self._trigger,
            id=_JOB,
            next_run_time=first,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
        self._next = to_micros(first)

    def encode(self, job: Job) -> bytes:
        """What the job store keeps of ``job``."""
        return msgspec.json.encode(
            msgspec.structs.replace(self._stored, next_run=to_micros(job.next_run_time))
        )

    def decode(self, state: bytes) -> dict[str, Any] | None:
        """The job's attributes; None where it was stored for another cron line or time zone."""
        stored = msgspec.json.decode(state, type=_Stored)
        if msgspec.structs.replace(stored, next_run=0) != self._stored:
            return None
        return {
            "id": _JOB,
            "name": _JOB,
            "func": self._fire,
            "args": (),
            "kwargs": {},
            "trigger": self._trigger,
            "executor": "default",
            "coalesce": True,
            "max_instances": 1,
            "misfire_grace_time": None,
            "next_run_time": to_datetime(stored.next_run),
        }


def _check(path: Path) -> None:
    """Raise StorageError for what a newer release stored: APScheduler would remove it."""
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path)) as store:
            if store.execute("SELECT 1 FROM sqlite_master WHERE name = 'apscheduler_jobs'").fetchall():
                for (state,) in store.execute("SELECT job_state FROM apscheduler_jobs").fetchall():
                    check_format(state)
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise StorageError(f"{path}: the next run cannot be read: {error}") from error
