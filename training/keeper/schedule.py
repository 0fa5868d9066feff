"""The one door to APScheduler: the cron line, kept on either clock.

APScheduler decides when; the time it decides by is handed to it, so the shipped cron line fires on stream
time exactly as it does on wall time. Its job store carries the next run through a restart; a job is stored as
JSON and nothing is unpickled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.cron import CronTrigger

from feature_store.errors import ConfigError
from feature_store.units import to_datetime, to_micros
from training.keeper.cron import cron_fields

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.training import TrainingSpec

_JOB = "train"
_FIELDS = ("minute", "hour", "day", "month", "day_of_week")


@dataclass(frozen=True)
class Due:
    """A run that is due: when it should have been (us), and how many before it were passed over."""

    at: int
    passed_over: int


class _Stored(msgspec.Struct, frozen=True):
    """A job as the job store keeps it."""

    cron: str
    time_zone: str
    next_run: int


class Schedule:
    """Fires at each cron time that the clock passes; used by one thread.

    Cron times that went by unseen, for example while the keeper was down, are coalesced into the newest. The
    next run moves on only after ``on_due`` has returned: a crash in between repeats a run, it loses none.
    """

    def __init__(self, path: Path, spec: TrainingSpec, on_due: Callable[[Due], None]) -> None:
        """Keep the next run in the SQLite file ``path``. Raises ConfigError for a cron line that is none."""
        self._stored = _Stored(spec.schedule, spec.time_zone, 0)
        self._trigger = _trigger(spec)
        self._on_due = on_due
        self._store = _JsonJobStore(f"sqlite:///{path}", self)
        self._scheduler = _TickedScheduler(timezone=UTC)
        self._scheduler.add_jobstore(self._store)
        self._executor = _InPlaceExecutor()
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


class _TickedScheduler(BaseScheduler):  # type: ignore[misc]  # APScheduler has no types
    """A scheduler without a thread: it looks at its jobs when it is told the time."""

    def wakeup(self) -> None:
        """Nothing sleeps."""

    def shutdown(self, wait: bool = True) -> None:
        """Close the job store."""
        super().shutdown(wait)

    def tick(self, now: datetime) -> None:
        """Run what is due at ``now``, then move its next run on."""
        store = self._lookup_jobstore("default")
        for job in store.get_due_jobs(now):
            run_times = job._get_run_times(now)  # noqa: SLF001  (as APScheduler's own loop does)
            self._lookup_executor(job.executor).submit_job(job, run_times)
            job._modify(next_run_time=job.trigger.get_next_fire_time(run_times[-1], now))  # noqa: SLF001
            store.update_job(job)


class _InPlaceExecutor(BaseExecutor):  # type: ignore[misc]  # APScheduler has no types
    """Runs a job in the caller's thread, once for all times that were due; errors reach the caller."""

    due: Due

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        self.due = Due(to_micros(run_times[-1]), len(run_times) - 1)
        job.func()
        self._instances[job.id] -= 1  # it has ended; submit_job counts it in after this


class _JsonJobStore(SQLAlchemyJobStore):  # type: ignore[misc]  # APScheduler has no types
    """APScheduler's SQL job store with JSON where it would pickle."""

    def __init__(self, url: str, codec: Schedule) -> None:
        super().__init__(url)
        self._codec = codec

    def add_job(self, job: Job) -> None:
        """Store a job in place of what was stored under its id."""
        with self.engine.begin() as connection:
            connection.execute(self.jobs_t.delete().where(self.jobs_t.c.id == job.id))
            connection.execute(self.jobs_t.insert().values(id=job.id, **self._state(job)))

    def update_job(self, job: Job) -> None:
        """Store a job's next run."""
        with self.engine.begin() as connection:
            connection.execute(
                self.jobs_t.update().where(self.jobs_t.c.id == job.id).values(**self._state(job))
            )

    def lookup_job(self, job_id: str) -> Job | None:
        """The job, unless it was stored for another schedule."""
        return next((job for job in self._get_jobs(self.jobs_t.c.id == job_id) if job is not None), None)

    def _state(self, job: Job) -> dict[str, object]:
        return {"next_run_time": job.next_run_time.timestamp(), "job_state": self._codec.encode(job)}

    def _reconstitute_job(self, job_state: bytes) -> Job | None:
        attributes = self._codec.decode(job_state)
        if attributes is None:
            return None
        job = Job(self._scheduler, **attributes)
        job._jobstore_alias = self._alias  # noqa: SLF001  (as APScheduler's own job store does)
        return job


def check_schedule(spec: TrainingSpec) -> None:
    """Raise ConfigError for a cron line that is none, or that never comes."""
    if _trigger(spec).get_next_fire_time(None, datetime.now(UTC)) is None:
        raise ConfigError(f"training.schedule: {spec.schedule!r} never comes")


def _trigger(spec: TrainingSpec) -> CronTrigger:
    fields = dict(zip(_FIELDS, cron_fields(spec.schedule), strict=True))
    try:
        return CronTrigger(**fields, timezone=spec.zone)
    except ValueError as error:
        raise ConfigError(f"training.schedule: {spec.schedule!r}: {error}") from error
