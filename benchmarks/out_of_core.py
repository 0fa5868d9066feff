"""The memory of a fit: `python -m benchmarks.out_of_core --rows N`; the same events fitted on both ways.

Each fit runs in a process of its own, once with the events in memory and once with them on disk, and tells:
the seconds of reading and of fitting, the most memory that each had for itself (anonymous pages), getrusage's
peak over both (with pages of files and of libraries), and the average precision on later events.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from feature_store import duck
from feature_store.declaration.pipeline import Pipeline
from feature_store.units import from_text
from training.contract import OUTCOMES, SCORED, TrainingRequest
from training.dataset.events import read_labelled
from training.dataset.labels import matured_until
from training.dataset.split import split_in_time
from training.evaluation.ranking import average_precision
from training.fitting.challenger import fit_challenger

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

FEATURES = 20
ROUNDS = 40
START = from_text("2026-01-01T00:00:00Z")
DAY = 86_400_000_000
DAYS = 60
AS_OF = START + DAYS * DAY
ALGORITHMS = ("lightgbm", "xgboost")

EVENTS = f"""
    select
        'e' || i as event_id,
        make_timestamp({START} + i * ({DAYS} * {DAY} // $rows)) as event_time,
        make_timestamp({START} + i * ({DAYS} * {DAY} // $rows)) as arrived_at,
        0 as source_partition, i as source_offset, 'approve' as action, 'approve' as policy_action,
        1.0::double as propensity, null::double as margin, null::varchar as model,
        'c' || (hash(i) % 50000) as customer_id,
        round(-60 * ln(1 - hash(i, 0) / 18446744073709551616.0), 2)::double as f0,
        {
    ", ".join(
        f"round(hash(i, {k}) / 18446744073709551616.0, {k % 5 + 1})::double as f{k}"
        for k in range(1, FEATURES)
    )
}
    from range($rows) as t(i)
"""  # noqa: S608  (numbers of this program)
FRAUDS = """
    select event_id, 'fraud' as label, 'chargeback' as source, event_time as observed_at,
        event_time as arrived_at, 0 as "partition", source_offset as "offset"
    from scored
    where hash(event_id) / 18446744073709551616.0
        < case when f0 between 219.5 and 220.5 then 0.9 when f0 > 220 and f1 > 0.7 then 0.2 else 0.002 end
"""


def main(arguments: list[str] | None = None) -> int:
    """Make the events, fit both ways, print a line for each; the exit code of a fit that failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.out_of_core", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--algorithm", choices=ALGORITHMS, action="append")
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--on-disk", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args(arguments)
    if told.fit:
        print(json.dumps(_fit(told.fit, told.algorithm[0], on_disk=told.on_disk)))
        return 0
    with tempfile.TemporaryDirectory(prefix="out-of-core-") as folder:
        _make(Path(folder), told.rows)
        matrix = told.rows * FEATURES * 8 / 2**20
        print(f"{told.rows:,} events, {FEATURES} features: a matrix of {matrix:,.0f} MiB; {ROUNDS} rounds")
        for algorithm in told.algorithm or ALGORITHMS:
            for on_disk in (False, True):
                found = _in_child(Path(folder), algorithm, on_disk=on_disk)
                print(_line(algorithm, found, on_disk=on_disk), flush=True)
    return 0


def declared(algorithm: str, *, on_disk: bool) -> Pipeline:
    """The pipeline of the events; its features are taken from the snapshot as they are."""
    rows = {"f0": "amount"} | {f"f{k}": f"amount * {k}" for k in range(1, FEATURES)}
    rounds = {"lightgbm": "num_iterations", "xgboost": "num_boost_round"}[algorithm]
    fields = {
        "event_id": "string",
        "event_time": "timestamp",
        "customer_id": "string",
        "amount": "decimal(12,2)",
    }
    return Pipeline.model_validate(
        {
            "pipeline": "out-of-core",
            "event": {"id": "event_id", "time": "event_time", "key": "customer_id", "fields": fields},
            "features": {"rows": rows},
            "outcomes": {"sources": {"chargeback": "3d"}},
            "decision": {"costs": {"missed_fraud": 100, "review": 4, "false_decline": 15}},
            "training": {
                "algorithm": algorithm,
                "judged": "3d",
                "parameters": {rounds: ROUNDS, "learning_rate": 0.2},
                "sampling": {"rows_in_memory": 1 if on_disk else 1_000_000_000},
            },
        }
    )


def _make(folder: Path, rows: int) -> None:
    with duck.memory() as connection:
        duck.write_parquet(connection, EVENTS, folder / SCORED, {"rows": rows})
        connection.read_parquet(duck.path_of(folder / SCORED)).create_view("scored")
        duck.write_parquet(connection, FRAUDS, folder / OUTCOMES)


def _in_child(folder: Path, algorithm: str, *, on_disk: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.out_of_core", "--fit", str(folder), "--algorithm", algorithm]
    if on_disk:
        command.append("--on-disk")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _fit(folder: Path, algorithm: str, *, on_disk: bool) -> dict[str, float]:
    pipeline = declared(algorithm, on_disk=on_disk)
    request = TrainingRequest("r", pipeline.name, AS_OF, "v1", "benchmark")
    watched = _Watched()
    events, reading = _timed(lambda: read_labelled(folder, pipeline, AS_OF))
    reading_mib = watched.since_last()
    split = split_in_time(events, pipeline.training, matured_until(pipeline, AS_OF))
    challenger, fitting = _timed(lambda: fit_challenger(split, request, pipeline, lambda _round, _loss: None))
    margin = challenger.model.margins(split.judged.features)
    return {
        "reading_s": reading,
        "fitting_s": fitting,
        "reading_mib": reading_mib,
        "fitting_mib": watched.since_last(),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "average_precision": average_precision(split.judged.fraud, margin, split.judged.weight),
        "bins": challenger.metrics.get("bins_most", 0.0),
    }


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


class _Watched:
    """Looks at this process's anonymous memory twenty times a second."""

    def __init__(self) -> None:
        self._most = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def since_last(self) -> float:
        """The most that was seen since this was last asked, in MiB."""
        most, self._most = self._most, 0.0
        return most

    def _watch(self) -> None:
        while not self._end.wait(0.05):
            status = Path("/proc/self/status").read_text(encoding="ascii")
            own = next(line for line in status.splitlines() if line.startswith("RssAnon"))
            self._most = max(self._most, int(own.split()[1]) / 1024)


def _line(algorithm: str, found: dict[str, Any], *, on_disk: bool) -> str:
    where = "on disk  " if on_disk else "in memory"
    return (
        f"{algorithm:<9} {where} "
        f"read {found['reading_s']:4.0f} s, {found['reading_mib']:5,.0f} MiB; "
        f"fit {found['fitting_s']:4.0f} s, {found['fitting_mib']:5,.0f} MiB; "
        f"peak RSS {found['peak_mib']:5,.0f} MiB; average precision {found['average_precision']:.4f}"
    )


if __name__ == "__main__":
    sys.exit(main())
