"""A new model of 300 trees taken under a steady load: the longest gap between decisions around the swap."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from benchmarks.models import large_model
from benchmarks.stage import Stage, scorer_process, stage
from streams.kafka import read_to_end
from streams.messages import Decision
from training.publish import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 500.0
WARM_UP_S, SWAPS, APART_S = 60, 3, 12
AROUND_MS = 500
OMITTED = 10  # seconds at the start

Times = np.ndarray[tuple[int], np.dtype[np.int64]]


def main() -> None:
    """Print the gap around every swap beside the p99 batch time of the minute before the first."""
    with stage() as on, scorer_process(on):
        publisher = Publisher(on.broker.bootstrap, on.pipeline, lambda: "2026-01-05T00:00:00Z")
        publisher.publish(*large_model(on.pipeline, "m0", 1), why="benchmark")
        models = [large_model(on.pipeline, f"m{n}", n + 1) for n in range(1, SWAPS + 1)]
        pause = threading.Event()
        with _steady_load(on):
            pause.wait(WARM_UP_S)
            batch_p99 = median(pulse["batch_ms_p99"] for pulse in on.pulses()[-WARM_UP_S // 6 :])
            for manifest, artifact in models:
                publisher.publish(manifest, artifact, why="benchmark")
                pause.wait(APART_S)
        times: dict[int, list[int]] = {}
        for message in read_to_end(on.broker.bootstrap, on.pipeline.topics.decisions):
            decision = msgspec.json.decode(message.value() or b"", type=Decision)
            times.setdefault(decision.release, []).append(message.timestamp()[1])
        print(f"{RATE:.0f} events/s; p99 batch time of the minute before: {batch_p99:.1f} ms")
        everything = np.sort(np.concatenate([np.array(found) for found in times.values()]))
        ordinary = [_longest_gap(everything, at) for at in range(everything[0], min(times[2]), 2 * AROUND_MS)]
        print(f"longest gap in an ordinary second: {median(ordinary[OMITTED:]):.0f} ms at the median")
        for epoch in range(2, SWAPS + 2):
            gap = _longest_gap(everything, min(times[epoch]))
            print(f"epoch {epoch}: longest gap {gap} ms, {gap / batch_p99:.2f} x p99 batch time (aim: 2)")


def _longest_gap(times: Times, around: int) -> int:
    """Milliseconds without a decision within half a second of ``around``."""
    near = times[np.abs(times - around) <= AROUND_MS]
    return int(np.diff(near).max()) if len(near) > 1 else 2 * AROUND_MS


@contextmanager
def _steady_load(on: Stage) -> Iterator[None]:
    """Send events from a process of its own: publishing must not hold up the sender."""
    command = [sys.executable, "-m", "console.cli", "simulate", "--config", str(on.config), "--json"]
    command += ["--broker", on.broker.bootstrap, "--days", "30", "--rate", f"{RATE:.0f}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
