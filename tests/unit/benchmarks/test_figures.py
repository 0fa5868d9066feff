"""How the figures of the scorer's benchmark come about."""

from __future__ import annotations

import pytest

from benchmarks.contest import ContestError, Result, Run, between
from benchmarks.latency import Latency
from benchmarks.report import as_json
from benchmarks.scorer import Report


def test_what_counts_is_what_the_long_run_costs_beyond_the_short_one() -> None:
    short, long = Run(100, 3.0, 1.0, {"decode": 0.5}), Run(1_100, 5.0, 5.0, {"decode": 1.5})

    result = between("exactly once", short, long)

    assert result.per_cpu_second == 500
    assert result.busy == 0.5
    assert result.counted == {"decode": 1.0}


def test_runs_too_short_to_tell_give_no_number() -> None:
    with pytest.raises(ContestError, match="too few"):
        between("exactly once", Run(10, 2.0, 1.0, {}), Run(20, 2.0, 1.0, {}))


def test_json_has_the_promised_keys() -> None:
    def result(cpu_s: float) -> Result:
        return Result("exactly once", 1_000, cpu_s, 1.0, {"decode": 0.002, "commit": 0.004, "batches": 10.0})

    report = Report(
        {"sluicegate": result(0.02), "quix": result(0.2)}, {}, result(0.01), {"faust": "no wheel"}
    )

    found = as_json(report, {1_000: Latency(1.0, 2.0, 3.0, 4.0, "")})

    assert found["decisions_per_s"] == 50_000
    assert found["ceiling_per_s"] == 100_000
    assert found["peers_per_s"] == {"quix": 5_000}
    assert found["stages_us"] == {"decode": 2.0, "commit": 4.0}
    assert found["latency_ms"] == {"1000": {"p50": 1.0, "p99": 2.0, "p999": 3.0, "held": True}}
    assert found["void"] == {"faust": "no wheel"}
