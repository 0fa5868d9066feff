"""What the benchmarks of the scorer found, as tables for people and as one object for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.contenders import OURS
from benchmarks.stages import batch_size, per_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.contest import Result
    from benchmarks.latency import Latency
    from benchmarks.scorer import Report

Found = dict[str, Any]


def as_json(report: Report, latencies: Mapping[int, Latency]) -> Found:
    """The object that `--json` prints; what could not be measured is null."""
    ours = report.ours
    return {
        "decisions_per_s": ours and round(ours.per_cpu_second),
        "ceiling_per_s": report.ceiling and round(report.ceiling.per_cpu_second),
        "peers_per_s": {name: round(rate) for name, rate in report.peers.items()},
        "stages_us": per_event(ours.counted, ours.events) if ours else {},
        "latency_ms": latencies_json(latencies),
        "at_least_once_per_s": {n: round(r.per_cpu_second) for n, r in report.at_least_once.items()},
        "void": report.void,
    }


def latencies_json(latencies: Mapping[int, Latency]) -> Found:
    """Rate -> percentiles in milliseconds."""
    return {str(rate): _percentiles(found) for rate, found in latencies.items()}


def _percentiles(found: Latency) -> Found:
    figures = {"p50": found.p50, "p99": found.p99, "p999": found.p999}
    return {**{name: round(ms, 2) for name, ms in figures.items()}, "held": not found.doubt}


def print_throughput(report: Report) -> None:
    """Both tables, the aims, the stages, and what gave no number."""
    print("\ndecisions per CPU-second (user and system time of all threads), each at its strongest guarantee")
    _print_results(report.strongest)
    if report.ceiling is not None:
        _print_result("no-op loop", report.ceiling)
    print("\nand all at least once")
    _print_results(report.at_least_once)
    _print_aims(report)
    _print_stages(report.ours)
    for title, why in report.void.items():
        print(f"\nno number for {title}: {why}")


def print_latencies(latencies: Mapping[int, Latency]) -> None:
    """One line for each rate."""
    print("\nfrom the intended send to the receipt of the committed decision")
    print(f"{'events/s':>9} {'p50':>9} {'p99':>9} {'p99.9':>9} {'worst':>9}   ms")
    for rate, found in latencies.items():
        figures = " ".join(f"{ms:>9.1f}" for ms in (found.p50, found.p99, found.p999, found.worst))
        print(f"{rate:>9,} {figures}   {found.doubt and f'not held: {found.doubt}'}")


def _print_results(results: Mapping[str, Result]) -> None:
    for name, result in sorted(results.items(), key=lambda item: -item[1].per_cpu_second):
        _print_result(name, result)


def _print_result(name: str, result: Result) -> None:
    cost = 1e6 / result.per_cpu_second
    print(
        f"  {name:<12} {result.per_cpu_second:>9,.0f}/s {cost:>8.1f} us each   "
        f"{result.events:>9,} events, core {result.busy:>4.0%} busy   {result.guarantee}"
    )


def _print_aims(report: Report) -> None:
    if report.ours is None:
        return
    ours, peers = report.ours.per_cpu_second, report.peers
    print(f"\n{OURS}: {ours:,.0f}/s (aims: 50,000, then 75,000)")
    if report.ceiling is not None:
        print(f"  {ours / report.ceiling.per_cpu_second:>5.2f} of the no-op loop (aim: 0.5)")
    if peers:
        best = max(peers, key=lambda name: peers[name])
        print(f"  {ours / peers[best]:>5.2f} x the best peer, {best} (aim: 2)")
    for name, aim in (("quix", 4), ("faust", 10)):
        if name in peers:
            print(f"  {ours / peers[name]:>5.2f} x {name} (aim: {aim})")


def _print_stages(ours: Result | None) -> None:
    stages = per_event(ours.counted, ours.events) if ours else {}
    if ours and stages:
        size = batch_size(ours.counted, ours.events)
        print(f"\nwall time of each stage, us per event, {size:,.0f} events a batch at the mean")
        print("  " + ", ".join(f"{name} {cost:.1f}" for name, cost in stages.items()))
