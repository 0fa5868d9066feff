"""Which processes run, and in which order."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from console.plan import Plan
from tests.support.payments import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path


def test_sink_workers_run_between_keeper_and_what_only_looks(tmp_path: Path) -> None:
    alone = Plan(SHIPPED, tmp_path, "localhost:9092", 1, 1, 2)
    beside = replace(alone, sinks=2)
    assert [each.name for each in alone.processes()] == ["keeper", "scorer-0", "monitor"]
    assert [each.name for each in beside.processes()] == ["keeper", "scorer-0", "sink-0", "sink-1", "monitor"]
    assert beside.beside == ["sink-0", "sink-1", "monitor"]
    second = beside.processes()[3].command
    assert list(second[:4]) == [sys.executable, "-m", "console.cli", "sink"]
    assert list(second[-2:]) == ["--slot", "1"]
