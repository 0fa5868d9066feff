"""The record of training runs: what was due, what came of it; it survives a restart.

A run that runs is leased to the keeper that started it. Only one keeper holds the store, so a lease of
another one is of a keeper that is gone: its run is due again. Whoever has lost a lease cannot say what came
of the run.
"""

from __future__ import annotations

import secrets
import socket
import threading
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from feature_store.errors import StorageError
from feature_store.units import to_datetime
from training.contract import TrainingResult
from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.duck import Connection

MOST_ATTEMPTS = 2
"""A run that was interrupted is tried once more; a keeper must not die of the same run for ever."""

State = Literal["due", "running", "passed", "dry_passed", "refused", "failed"]

Why = Literal["schedule", "command", "new_frauds", "drift"]


class Run(msgspec.Struct, frozen=True):
    """One training run. ``as_of`` is on the pipeline's clock (us); ``detail`` says why it did not pass.

    ``cause`` says more about ``why``; a ``dry`` run stands before the gate and is not published;
    ``trust_data``: labels and features are as they should be, however strange.
    """

    run_id: str
    why: Why
    as_of: int
    shuffle_labels: bool
    state: State
    attempts: int
    champion: str | None = None
    detail: str | None = None
    result: TrainingResult | None = None
    dry: bool = False
    cause: str | None = None
    trust_data: bool = False


class LastRun(msgspec.Struct, frozen=True):
    """Of the runs that were no drills: when the newest was due (us), and whether one is yet to end.

    ``alerts_until``: how far the alerts topic had been read by then.
    """

    as_of: int | None
    open: bool
    alerts_until: int | None


class Runs:
    """The table ``runs``, for any thread."""

    def __init__(self, store: Connection) -> None:
        """Take up where an earlier keeper ended: what was running is due again."""
        self._store = store.cursor()
        self._one_at_a_time = threading.RLock()
        self._holder = f"{socket.gethostname()} {secrets.token_hex(4)}"
        self._store.execute(sql("resume_runs"), {"holder": self._holder})
        self.alerts_read: Callable[[], int | None] = lambda: None
        """How far the alerts topic has been read, where it is."""

    def all(self) -> list[Run]:
        """Every run, oldest first."""
        with self._one_at_a_time:
            found = rows(self._store, "all_runs")
        return [msgspec.convert(row | {"result": _decoded(row["result"])}, Run) for row in found]

    def due(self) -> Run | None:
        """The run to start next."""
        return next((run for run in self.all() if run.state == "due"), None)

    def last(self) -> LastRun:
        """What triggers look at."""
        with self._one_at_a_time:
            return msgspec.convert(rows(self._store, "last_run")[0], LastRun)

    def request(
        self,
        why: Why,
        as_of: int,
        *,
        shuffle_labels: bool = False,
        dry: bool = False,
        trust_data: bool = False,
        cause: str | None = None,
    ) -> Run:
        """Record that a run is due.

        One that waits for the same reason is taken instead, moved to ``as_of``: requests coalesce.
        """
        asked = {
            "as_of": as_of,
            "cause": cause,
            "alerts_until": None if dry or shuffle_labels else self.alerts_read(),
        }
        drill = {"shuffle_labels": shuffle_labels, "dry": dry, "trust_data": trust_data}
        with self._one_at_a_time:  # else another thread starts the one that waits, or takes the same name
            return self._request(why, drill, asked)

    def _request(self, why: Why, drill: dict[str, bool], asked: dict[str, Any]) -> Run:
        runs = self.all()
        for run in runs:
            waits = {"shuffle_labels": run.shuffle_labels, "dry": run.dry, "trust_data": run.trust_data}
            if (run.state, run.why, waits) == ("due", why, drill):
                self._execute("postpone_run", {"run_id": run.run_id, **asked})
                return msgspec.structs.replace(run, as_of=asked["as_of"], cause=asked["cause"])
        stem = to_datetime(asked["as_of"]).strftime("%Y%m%dT%H%M%S")
        number = 1 + sum(run.run_id.startswith(f"{stem}-") for run in runs)
        waiting = Run(f"{stem}-{number}", why, asked["as_of"], False, "due", 0, cause=asked["cause"])
        run = msgspec.structs.replace(waiting, **drill)
        self._execute("add_run", {"run_id": run.run_id, "why": why, **drill, **asked})
        return run

    def start(self, run: Run, champion: str | None) -> None:
        """Take the lease of a run that is due, against ``champion``. Raises StorageError where it is not."""
        found = {"run_id": run.run_id, "champion": champion, "holder": self._holder}
        if not self._execute("start_run", found):
            raise StorageError(f"training run {run.run_id} is not due any more: it was taken already")

    def end(self, run: Run, state: State, detail: str | None, result: TrainingResult | None) -> None:
        """Record what came of it. Raises StorageError where another holds its lease by now."""
        encoded = None if result is None else msgspec.json.encode(result).decode()
        found = {"run_id": run.run_id, "state": state, "detail": detail, "result": encoded}
        if not self._execute("end_run", found | {"holder": self._holder}):
            raise StorageError(f"training run {run.run_id} was taken up by another keeper, or is over")

    def _execute(self, name: str, parameters: dict[str, Any]) -> list[tuple[object, ...]]:
        with self._one_at_a_time:
            return list(self._store.execute(sql(name), parameters).fetchall())


def _decoded(text: object) -> object:
    return msgspec.json.decode(text) if isinstance(text, str) else None
