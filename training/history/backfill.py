"""``sluicegate backfill``: a file of past events becomes history and state.

1. Read the file; every row must fit.
2. Compute features and state into a folder of history.
3. The keeper takes the folder in, in one transaction, or refuses it.
4. Only then snapshots are put where scorers look for them: state without its history is never seen. The
   keeper takes the same folder again, so a backfill that was ended here can be done again.
"""

from __future__ import annotations

import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from feature_store.errors import ConfigError
from feature_store.snapshots import Shelf, open_folder
from streams.sources.past_events import read_past_events
from training.history.folder import write_folder, write_new_features
from training.history.known_outcomes import refuse_other_outcomes
from training.keeper.history_export import DEFINITIONS, EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.sources.past_events import PastEvents
    from training.history.keeper import KeptHistory
    from training.history.progress import OnProgress


@dataclass(frozen=True)
class Backfilled:
    """What a backfill did; ``known`` of the ``frauds`` are in the features already, the others come later.

    ``features`` are those that were added to history that was there, None for a whole one.
    """

    rows: int
    first_event_time: int
    last_event_time: int
    frauds: int = 0
    known: int = 0
    snapshots: str = ""
    features: list[str] | None = None


def backfill(
    pipeline: Pipeline, file: Path, state_dir: Path, kept: KeptHistory, on_progress: OnProgress
) -> Backfilled:
    """Make history and state of ``file``. Raises SluicegateError where it does not fit, or comes too late."""
    past = _read(pipeline, file, on_progress)  # 1
    declared = pipeline.serving.snapshots
    place = open_folder(declared.store, state_dir / "snapshots")
    with scratch(state_dir) as folder:
        folder.mkdir()
        written = write_folder(pipeline, past, folder, on_progress)  # 2
        on_progress("handing to the keeper", 0, 0)
        rows = kept.take_in(folder)  # 3
    for done, snapshot in enumerate(written.snapshots):
        on_progress("keeping state", done, len(written.snapshots))
        Shelf(place, snapshot.pipeline, declared.keep).put(snapshot)  # 4
    history = written.history
    return Backfilled(
        rows, history.first_event_time, history.last_event_time, written.frauds, written.known, str(place)
    )


def backfill_new(
    pipeline: Pipeline, file: Path, state_dir: Path, kept: KeptHistory, on_progress: OnProgress
) -> Backfilled:
    """Compute the features that stored rows lack, for the events of ``file`` among them.

    Raises SluicegateError, among others where no feature is new.
    """
    past = _read(pipeline, file, on_progress)
    names = _new_features(pipeline, past, state_dir, kept)
    with scratch(state_dir) as folder:
        folder.mkdir()
        history = write_new_features(pipeline, past, names, folder, on_progress)
        on_progress("handing to the keeper", 0, 0)
        rows = kept.take_in(folder)
    return Backfilled(rows, history.first_event_time, history.last_event_time, features=names)


@contextmanager
def scratch(state_dir: Path, name: str = "history") -> Iterator[Path]:
    """The path of a new folder inside ``state_dir``, gone at the end of the block."""
    state_dir.mkdir(parents=True, exist_ok=True)
    folder = state_dir.resolve() / f"{name}-{secrets.token_hex(4)}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read(pipeline: Pipeline, file: Path, on_progress: OnProgress) -> PastEvents:
    on_progress("reading", 0, 0)
    past = read_past_events(pipeline, file)
    if not past.rows:
        raise ConfigError(f"{file}: holds no events; there is nothing to fill in")
    return past


def _new_features(pipeline: Pipeline, past: PastEvents, state_dir: Path, kept: KeptHistory) -> list[str]:
    """The declared features that some stored rows were computed without, where ``past`` can tell them."""
    with scratch(state_dir) as folder:
        kept.export(folder)
        names = _unknown(pipeline, folder)
        refuse_other_outcomes(pipeline, past, names, folder)
    return names


def _unknown(pipeline: Pipeline, folder: Path) -> list[str]:
    used = set(pq.read_table(folder / EVENTS, columns=["definitions"])["definitions"].to_pylist())
    known: dict[str, set[str | None]] = {}
    for each in pq.read_table(folder / DEFINITIONS).to_pylist():
        known.setdefault(each["name"], set()).add(each["digest"])
    names = [f.name for f in pipeline.feature_vector if used - known.get(f.name, set())]
    if not names:
        raise ConfigError("every stored row has every declared feature; there is nothing new to fill in")
    return names
