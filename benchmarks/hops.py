"""What a further stage costs: processor time per event and hop, and latency, with 1, 2 and 4 scorers each."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.load import Load
from benchmarks.machine import cpu_seconds
from benchmarks.stage import stage
from benchmarks.workload import FEATURES, declaration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stage import Stage
    from streams.broker import Broker

SCORERS = (1, 2, 4)
RATE, FASTER = 500, 4_000
"""Events a second: below what the machine can do, so that nothing is measured that waits. More of them come
in larger batches, of which each event costs less.
"""
_WARM_UP_S, _SECONDS = 5.0, 20.0
_PARTITIONS = 4


@dataclass(frozen=True)
class Hops:
    """One way to decide: processor time (us) per event in each stage and on the broker, and latency."""

    scorers: int
    stages_us: list[float]
    broker_us: float
    p50_ms: float
    p99_ms: float


def main() -> dict[str, Any]:
    """Measure an unstaged scorer, then stages; prints a table."""
    print(f"{FEATURES} features over customer_id and terminal_id, exactly once")
    print(f"  {'':<34} {'CPU us/event by stage':<24} {'broker':>7} {'p50 ms':>7} {'p99 ms':>7}")
    found: dict[str, Hops] = {}
    for rate, staged in ((RATE, SCORERS), (FASTER, SCORERS[:1])):
        ways = {f"{rate:,}/s, one scorer, unstaged": 0}
        ways |= {f"{rate:,}/s, staged, {scorers} a stage": scorers for scorers in staged}
        for name, scorers in ways.items():
            found[name] = measure(scorers or 1, rate, staged=scorers > 0)
            _tell(name, found[name])
    return {"hops": {name: asdict(each) for name, each in found.items()}}


def measure(scorers: int, rate: int, *, staged: bool) -> Hops:
    """One way. Raises ContestError where a decision is missing or comes twice."""
    with ExitStack() as stack:
        on = stack.enter_context(stage(_tree(staged=staged)))
        load = Load(on.broker.bootstrap, on.pipeline.topics.events, on.pipeline.topics.decisions, _PARTITIONS)
        stack.callback(load.close)
        stages: list[int | None] = [each.number for each in on.pipeline.stages] or [None]
        running = [
            [stack.enter_context(_scorer(on, each, slot)) for slot in range(scorers)] for each in stages
        ]
        load.begin()
        load.send(rate, 0.0, _WARM_UP_S)
        before = [_spent(group) for group in running]
        of_broker = _of_broker(on.broker)
        sent = load.send(rate, 0.0, _SECONDS)
        spent = [_spent(group) - start for group, start in zip(running, before, strict=True)]
        count = rate * _SECONDS
        latency = np.percentile(sent.latencies, [50, 99]) * 1e3
        return Hops(
            scorers,
            [seconds / count * 1e6 for seconds in spent],
            (_of_broker(on.broker) - of_broker) / count * 1e6,
            float(latency[0]),
            float(latency[1]),
        )


def _tree(*, staged: bool) -> dict[str, Any]:
    tree = declaration()
    windows = tree["features"]["windows"]
    windows[1] = {**windows[1], "entity": "terminal_id"}
    tree["features"]["staged"] = staged
    return {**tree, "topics": {"partitions": _PARTITIONS}}


@contextmanager
def _scorer(on: Stage, number: int | None, slot: int) -> Iterator[subprocess.Popen[bytes]]:
    which = [] if number is None else ["--stage", str(number)]
    command = [*on.scorer_command(), *which, "--slot", str(slot)]
    with (
        (on.folder / f"scorer-{number}-{slot}.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def _spent(processes: list[subprocess.Popen[bytes]]) -> float:
    return sum(cpu_seconds(process.pid) for process in processes)


def _of_broker(broker: Broker) -> float:
    return cpu_seconds(broker.process.pid) if broker.process and broker.process.pid else 0.0


def _tell(name: str, found: Hops) -> None:
    by_stage = " + ".join(f"{each:,.0f}" for each in found.stages_us)
    print(
        f"  {name:<34} {by_stage:<24} {found.broker_us:>7,.0f} {found.p50_ms:>7.1f} {found.p99_ms:>7.1f}",
        flush=True,
    )
    sys.stdout.flush()
