"""The keeper's store as it would be found after a kill: copied while the keeper stands still, then read."""

from __future__ import annotations

import math
import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.counts import Counts
    from tests.chaos.fates import Logged

_STORE = "keeper.duckdb"
_ROWS = "SELECT (SELECT count(*) FROM scored), (SELECT count(*) FROM decisions)"
_COUNT = "SELECT count(*), count(DISTINCT (source_partition, source_offset)) FROM "
_Row = tuple[Any, ...]


def copied(state: Path, keeper: int | None, into: Path) -> Path:
    """The store and its write-ahead log; ``keeper`` stands still meanwhile, where it runs."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    if keeper is not None:
        os.kill(keeper, signal.SIGSTOP)
    try:
        while keeper is not None and not _stands_still(keeper):
            time.sleep(0.005)
        for name in (_STORE, f"{_STORE}.wal"):
            if (state / name).exists():
                shutil.copyfile(state / name, into / name)
    finally:
        if keeper is not None:
            os.kill(keeper, signal.SIGCONT)
    return into / _STORE


class Sunk:
    """What the log says the store must hold."""

    def __init__(self, counts: Counts, columns: Sequence[str]) -> None:
        self._counts = counts
        self._columns = columns
        self._newer = f"""SELECT source_offset, {", ".join(columns)}
            FROM scored WHERE source_partition = ? AND source_offset >= ?"""  # noqa: S608  (our own words)
        self._rows: dict[tuple[int, int], _Row] = {}
        """Those that no copy has confirmed."""
        self._total = 0
        self._confirmed = 0

    def log(self, logged: Logged) -> None:
        """The next message of the feature log."""
        for row in logged.rows:
            self._rows[logged.partition, row["source_offset"]] = tuple(row[name] for name in self._columns)
        self._total += len(logged.rows)

    def complete(self, store: Path, decided: int) -> bool:
        """Whether a copy has as many rows and decisions as the topics."""
        with duckdb.connect(str(store)) as copy:
            tables = {name for (name,) in copy.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
            if not {"scored", "decisions"} <= tables:
                return False  # the keeper has only begun
            rows, decisions = copy.execute(_ROWS).fetchone() or (0, 0)
        return bool(rows >= self._total and decisions >= decided)

    def compare(self, store: Path, decided: int) -> None:
        """Every row is there once and says the same; those of earlier rounds are counted only."""
        with duckdb.connect(str(store)) as copy:
            since: dict[int, int] = {}
            for partition, offset in self._rows:
                since[partition] = min(offset, since.get(partition, offset))
            for partition, offset in since.items():
                newer = copy.execute(self._newer, [partition, offset])
                for place, *values in newer.fetchall():
                    self._compare((partition, place), tuple(values))
            self._count(copy, "scored", self._total)
            self._count(copy, "decisions", decided)
        for found in self._rows:
            self._counts.tell("lost", f"row {found} is not in the store")
        self._rows.clear()

    def _compare(self, place: tuple[int, int], found: _Row) -> None:
        expected = self._rows.pop(place, None)
        if expected is None or not all(map(_same, expected, found)):
            self._counts.tell("wrong", f"row {place} is {found} in the store, the log says {expected}")

    def _count(self, copy: Any, table: str, expected: int) -> None:
        found, different = copy.execute(_COUNT + table).fetchone()
        if (found, different) != (expected, expected):
            kind = "doubled" if found > different else "lost" if found < expected else "wrong"
            self._counts.tell(kind, f"{table}: {found} rows of {different} events, {expected} on the topics")


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return expected == found or (math.isnan(expected) and math.isnan(found))
    return bool(expected == found)


def _stands_still(process: int) -> bool:
    """Whether every thread of it is stopped."""
    states = []
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            states.append((task / "stat").read_text().rsplit(")", 1)[1].split()[0])
        except FileNotFoundError:
            continue
    return all(state in "TtZX" for state in states)
