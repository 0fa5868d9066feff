"""A new model of 300 trees taken under a steady load: the longest gap between decisions around the swap."""

from __future__ import annotations

import threading
from statistics import median

import msgspec
import numpy as np

from benchmarks.stage import large_model, scorer_process, stage
from streams.kafka import read_to_end
from streams.messages import Decision
from streams.sources import Scenario, run_simulate
from training.publish import Publisher

RATE = 500.0
WARM_UP_S, SWAPS, APART_S = 60, 3, 12
AROUND_MS = 2_000


def main() -> None:
    """Print the gap around every swap beside the p99 batch time of the minute before the first."""
    with stage() as on, scorer_process(on):
        publisher = Publisher(on.broker.bootstrap, on.pipeline, lambda: "2026-01-05T00:00:00Z")
        publisher.publish(*large_model(on.pipeline, "m0", 1), why="benchmark")
        models = [large_model(on.pipeline, f"m{n}", n + 1) for n in range(1, SWAPS + 1)]
        stop, pause = threading.Event(), threading.Event()
        sender = threading.Thread(
            target=run_simulate,
            args=(on.pipeline, on.broker.bootstrap, Scenario(days=30, seed=3)),
            kwargs={"rate": RATE, "stop": stop},
        )
        sender.start()
        pause.wait(WARM_UP_S)
        batch_p99 = median(pulse["batch_ms_p99"] for pulse in on.pulses()[-WARM_UP_S // 6 :])
        for manifest, artifact in models:
            publisher.publish(manifest, artifact, why="benchmark")
            pause.wait(APART_S)
        stop.set()
        sender.join()
        times: dict[int, list[int]] = {}
        for message in read_to_end(on.broker.bootstrap, on.pipeline.topics.decisions):
            decision = msgspec.json.decode(message.value() or b"", type=Decision)
            times.setdefault(decision.release, []).append(message.timestamp()[1])
        print(f"{RATE:.0f} events/s; p99 batch time of the minute before: {batch_p99:.1f} ms")
        everything = np.sort(np.concatenate([np.array(found) for found in times.values()]))
        print(f"p99.9 of all gaps between decisions: {np.percentile(np.diff(everything), 99.9):.0f} ms")
        for epoch in range(2, SWAPS + 2):
            swapped = min(times[epoch])
            near = everything[np.abs(everything - swapped) <= AROUND_MS]
            gap = int(np.diff(near).max())
            print(f"epoch {epoch}: longest gap {gap} ms, {gap / batch_p99:.2f} x p99 batch time (aim: 2)")
