"""Runs the benchmarks named on the command line, or all of them."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from typing import Any

from benchmarks import (
    backlog,
    entities,
    features,
    gpu,
    hops,
    hot_swap,
    latency,
    report,
    resume,
    scorer,
    sink,
    soak,
    step,
    trees,
)
from benchmarks.contest import ContestError
from benchmarks.field import Field
from benchmarks.machine import Cores, described, two_cores
from benchmarks.models import TREES
from benchmarks.peers.environments import PEERS
from benchmarks.stage import stage
from benchmarks.workload import declaration
from feature_store.engine.warm import warm
from feature_store.errors import SluicegateError

QUICK_EVENTS, QUICK_TREES, QUICK_RATE, QUICK_S = 12_000, 30, 500, 1.0
MODULES = {
    "features": features,
    "trees": trees,
    "step": step,
    "scorer": scorer,
    "latency": latency,
    "hot_swap": hot_swap,
    "gpu": gpu,
    "hops": hops,
    "entities": entities,
    "resume": resume,
    "backlog": backlog,
    "soak": soak,
    "sink": sink,
}
ALL = ("features", "trees", "step", "scorer", "hot_swap")
"""`scorer` measures latency too; `gpu` needs one; those of scaling and limits take their time."""
TOLD = {
    "features": features.main,
    "trees": trees.main,
    "step": step.main,
    "hot_swap": hot_swap.main,
    "gpu": gpu.main,
    "sink": sink.main,
}
DELIVERIES, BOTH = (latency.EXACTLY_ONCE, latency.AT_LEAST_ONCE), "both"
LIMITS: dict[str, tuple[str, ...]] = {
    "hops": (),
    "entities": ("entities",),
    "resume": ("entities",),
    "backlog": ("events", "entities", "partitions"),
    "soak": ("minutes", "rate", "store_memory"),
}
"""Which options each of these takes."""
MEASURED = ("scorer", "latency")
"""These have a quick run."""
FOR_PROGRAMS = (*MEASURED, *LIMITS)


def main(arguments: list[str]) -> int:
    """Run what is named, in order. 2 for a wrong name or option, 1 for a benchmark that broke down."""
    told = _parser().parse_args(arguments)
    names: list[str] = told.names or list(ALL)
    fit = MEASURED if told.quick else FOR_PROGRAMS if told.json else tuple(MODULES)
    wrong = [name for name in names if name not in fit]
    if wrong:
        known = f"with --quick or --json: {list(fit)}" if set(wrong) <= set(MODULES) else list(MODULES)
        print(f"no such benchmark: {', '.join(wrong)}; {known}", file=sys.stderr)
        return 2
    if told.delivery == BOTH and names != ["latency"]:
        print("--delivery both is for latency alone", file=sys.stderr)
        return 2
    found: dict[str, Any] = {}
    with redirect_stdout(sys.stderr if told.json else sys.stdout):
        print(described())
        for name in names:
            print(f"\n== {name}: {(MODULES[name].__doc__ or '').splitlines()[0]}", flush=True)
            try:
                found |= (
                    _limits(name, told) if name in LIMITS else _run(name, told.delivery, quick=told.quick)
                )
            except (ContestError, SluicegateError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
    if told.json:
        print(json.dumps(found, indent=2))
    return 0


def _limits(name: str, told: argparse.Namespace) -> dict[str, Any]:
    given = {key: value for key in LIMITS[name] if (value := getattr(told, key)) is not None}
    found: dict[str, Any] = MODULES[name].main(**given)
    return found


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(each.replace("_", "")) for each in text.split(","))


def _run(name: str, delivery: str, *, quick: bool) -> dict[str, Any]:
    """Run one; what it has for programs. ``delivery`` is that of the scorer whose latency is measured."""
    if name in TOLD:
        TOLD[name]()
        return {}
    warm()
    with two_cores() as cores, stage(declaration()) as on:
        ground = Field(on, QUICK_TREES if quick else TREES)
        if name == "latency":
            chosen = DELIVERIES if delivery == BOTH else (delivery,)
            found = {each: _latencies(ground, cores, each, quick=quick) for each in chosen}
            told_of = {each: report.latencies_json(latencies) for each, latencies in found.items()}
            return {"latency_ms": told_of if delivery == BOTH else told_of[delivery]}
        told: tuple[int, tuple[str, ...]] = (QUICK_EVENTS, ()) if quick else (scorer.EVENTS, tuple(PEERS))
        measured = scorer.measure(ground, cores, *told, quick=quick)
        report.print_throughput(measured)
        return report.as_json(measured, _latencies(ground, cores, delivery, quick=quick))


def _latencies(ground: Field, cores: Cores, delivery: str, *, quick: bool) -> dict[int, latency.Latency]:
    rates = (QUICK_RATE,) if quick else latency.RATES
    lasting = (QUICK_S, QUICK_S) if quick else (latency.SECONDS, latency.WARM_UP_S)
    found = latency.measure(ground, cores, rates, *lasting, delivery)
    print(f"\n{delivery}")
    report.print_latencies(found)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sluicegate bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(MODULES)}; default: {' '.join(ALL)}")
    parser.add_argument(
        "--delivery",
        choices=[*DELIVERIES, BOTH],
        default=latency.EXACTLY_ONCE,
        help="of the scorer whose latency is measured; `both`, one after the other, is for latency alone",
    )
    parser.add_argument(
        "--entities",
        type=_counts,
        help="of entities and resume, one or more with commas between; of backlog, one",
    )
    parser.add_argument("--events", type=int, help="of backlog: how many wait")
    parser.add_argument("--partitions", type=int, help="of backlog")
    parser.add_argument("--minutes", type=float, help="of soak")
    parser.add_argument("--rate", type=int, help="of soak: events a second")
    parser.add_argument("--store-memory", type=int, help="of soak: MiB that the keeper's database takes")
    parser.add_argument("--json", action="store_true", help="print JSON; all else goes to stderr")
    parser.add_argument("--quick", action="store_true", help="few events and no peers: does it work at all")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
