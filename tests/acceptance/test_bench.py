"""`sluicegate bench scorer` from beginning to end, without other engines and with few events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.acceptance,
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
        reason="the benchmark pins processes to two cores",
    ),
]


def test_a_quick_benchmark_prints_what_it_measured(jar_cache: Path) -> None:
    environment = {**os.environ, "SLUICEGATE_CACHE": str(jar_cache)}
    command = [sys.executable, "-m", "benchmarks", "scorer", "--quick", "--json"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=250
    )

    assert done.returncode == 0, done.stderr[-3_000:]
    found = json.loads(done.stdout)
    assert all("too few" in why for why in found["void"].values())  # on a busy machine; the job was done
    assert {found["decisions_per_s"], found["ceiling_per_s"]}.isdisjoint({0}), found
    stages = {"decode", "features", "score", "decide", "encode", "commit"}
    assert set(found["stages_us"]) == (stages if found["decisions_per_s"] is not None else set())
    (latency,) = found["latency_ms"].values()
    assert 0 < latency["p50"] <= latency["p99"] <= latency["p999"]
