"""The record of training runs: what was due, what came of it; it survives a restart."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

import msgspec

from feature_store.units import to_datetime
from training.contract import TrainingResult
from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from feature_store.duck import Connection

MOST_ATTEMPTS = 2
"""A run that was interrupted is tried once more; a keeper must not die of the same run for ever."""

State = Literal["due", "running", "passed", "refused", "failed"]


class Run(msgspec.Struct, frozen=True):
    """One training run. ``as_of`` is on the pipeline's clock (us); ``detail`` says why it did not pass."""

    run_id: str
    why: Literal["schedule", "command"]
    as_of: int
    shuffle_labels: bool
    state: State
    attempts: int
    champion: str | None = None
    detail: str | None = None
    result: TrainingResult | None = None


class Runs:
    """The table ``runs``, for any thread."""

    def __init__(self, store: Connection) -> None:
        """Take up where an earlier keeper ended: what was running is due again."""
        self._store = store.cursor()
        self._one_at_a_time = threading.Lock()
        self._store.execute(sql("resume_runs"))

    def all(self) -> list[Run]:
        """Every run, oldest first."""
        with self._one_at_a_time:
            found = rows(self._store, "all_runs")
        return [msgspec.convert(row | {"result": _decoded(row["result"])}, Run) for row in found]

    def due(self) -> Run | None:
        """The run to start next."""
        return next((run for run in self.all() if run.state == "due"), None)

    def request(
        self, why: Literal["schedule", "command"], as_of: int, *, shuffle_labels: bool = False
    ) -> Run:
        """Record that a run is due.

        One that waits for the same reason is taken instead, moved to ``as_of``: requests coalesce.
        """
        runs = self.all()
        for run in runs:
            if (run.state, run.why, run.shuffle_labels) == ("due", why, shuffle_labels):
                self._execute("postpone_run", {"run_id": run.run_id, "as_of": as_of})
                return msgspec.structs.replace(run, as_of=as_of)
        stem = to_datetime(as_of).strftime("%Y%m%dT%H%M%S")
        number = 1 + sum(run.run_id.startswith(f"{stem}-") for run in runs)
        run = Run(f"{stem}-{number}", why, as_of, shuffle_labels, "due", 0)
        self._execute(
            "add_run", {"run_id": run.run_id, "why": why, "as_of": as_of, "shuffle_labels": shuffle_labels}
        )
        return run

    def start(self, run: Run, champion: str | None) -> None:
        """Record that it runs against ``champion``."""
        self._execute("start_run", {"run_id": run.run_id, "champion": champion})

    def end(self, run: Run, state: State, detail: str | None, result: TrainingResult | None) -> None:
        """Record what came of it."""
        encoded = None if result is None else msgspec.json.encode(result).decode()
        self._execute("end_run", {"run_id": run.run_id, "state": state, "detail": detail, "result": encoded})

    def _execute(self, name: str, parameters: dict[str, object]) -> None:
        with self._one_at_a_time:
            self._store.execute(sql(name), parameters)


def _decoded(text: object) -> object:
    return msgspec.json.decode(text) if isinstance(text, str) else None
