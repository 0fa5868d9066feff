"""APScheduler without a thread and without pickles: it is told the time, and keeps its jobs as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.base import BaseScheduler

from feature_store.units import to_micros

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Due:
    """A run that is due: when it should have been (us), and how many before it were passed over."""

    at: int
    passed_over: int


class Codec(Protocol):
    """How a job is kept."""

    def encode(self, job: Job) -> bytes:
        """What the job store keeps of ``job``."""

    def decode(self, state: bytes) -> dict[str, Any] | None:
        """The job's attributes; None where it was stored for something else."""


class TickedScheduler(BaseScheduler):  # type: ignore[misc]  # APScheduler has no types
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


class InPlaceExecutor(BaseExecutor):  # type: ignore[misc]  # APScheduler has no types
    """Runs a job in the caller's thread, once for all times that were due; errors reach the caller."""

    due: Due

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        self.due = Due(to_micros(run_times[-1]), len(run_times) - 1)
        job.func()
        self._instances[job.id] -= 1  # it has ended; submit_job counts it in after this


class JsonJobStore(SQLAlchemyJobStore):  # type: ignore[misc]  # APScheduler has no types
    """APScheduler's SQL job store with JSON where it would pickle."""

    def __init__(self, url: str, codec: Codec) -> None:
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
