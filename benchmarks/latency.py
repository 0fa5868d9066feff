"""Latency from the intended send to the receipt of the committed decision, at steady rates."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.contest import ContestError
from benchmarks.load import Load
from benchmarks.machine import pinned
from benchmarks.workload import declaration

if TYPE_CHECKING:
    from benchmarks.field import Field
    from benchmarks.load import Sent
    from benchmarks.machine import Cores

EXACTLY_ONCE, AT_LEAST_ONCE = "exactly_once", "at_least_once"
RATES = (1_000, 5_000, 20_000)
SECONDS, WARM_UP_S = 20.0, 5.0
"""Of each rate: what counts, and what goes before it."""
_HELD = 0.99
_BEHIND_S = 0.5


@dataclass(frozen=True)
class Latency:
    """One rate; milliseconds."""

    p50: float
    p99: float
    p999: float
    worst: float
    doubt: str
    """Why the rate was not held; empty: it was."""


def measure(
    ground: Field,
    cores: Cores,
    rates: tuple[int, ...] = RATES,
    seconds: float = SECONDS,
    warm_up_s: float = WARM_UP_S,
    delivery: str = EXACTLY_ONCE,
) -> dict[int, Latency]:
    """Rate -> latency of one scorer on a core of its own; broker and load on the other.

    ``delivery`` is what its pipeline file declares.

    Raises ContestError where decisions are missing, or the scorer does not run.
    """
    name = f"latency-{delivery.replace('_', '-')}"
    tree = declaration() | {"serving": {"delivery": delivery}}
    scorer = ground.pipeline(tree, name, ground.topic(f"events-{name}"))
    with pinned(scorer.scorer_command(), cores.contender, scorer.log) as process:
        topics = scorer.pipeline.topics
        load = Load(ground.bootstrap, topics.events, topics.decisions, topics.partitions)
        try:
            load.begin()
            found = {}
            for rate in rates:
                print(f"{rate:,} events a second for {seconds:g} s", file=sys.stderr, flush=True)
                found[rate] = _latency(load.send(rate, warm_up_s, seconds), rate)
        except ContestError as error:
            tail = scorer.log.read_text(encoding="utf-8")[-2_000:]
            raise ContestError(f"{error}; the scorer ({process.poll()}): {tail}") from error
        finally:
            load.close()
    return found


def _latency(sent: Sent, rate: int) -> Latency:
    p50, p99, p999, worst = (float(ms) for ms in np.percentile(sent.latencies * 1e3, [50, 99, 99.9, 100]))
    doubt = ""
    if sent.rate < rate * _HELD:
        doubt = f"the load could send only {sent.rate:,.0f}/s"
    elif sent.behind_s > _BEHIND_S:
        doubt = f"the last decision came {sent.behind_s:.1f} s after the last event"
    return Latency(p50, p99, p999, worst, doubt)
