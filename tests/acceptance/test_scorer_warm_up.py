"""A fresh process has compiled, or loaded, all that a step needs before it asks for events."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.outcomes import counting_frauds
from tests.support.payments import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = f"""
import sys
from pathlib import Path
from feature_store.clock import StreamClock
from feature_store.declaration.load import load_pipeline
from feature_store.engine import series
from feature_store.engine.warm import warm
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.deltas import DeltaDecoder
from streams.scorer.records import SourceDelta, SourceRecord
from tests.support.outcomes import delta
from tests.support.payments import MONDAY, encoded


def compiled():
    kernels = [value for value in vars(series).values() if hasattr(value, "signatures")]
    return sum(len(kernel.signatures) for kernel in kernels)


pipeline = load_pipeline(Path(sys.argv[1]), {ENVIRONMENT!r})
assert compiled() == 0
warm()
before = compiled()
assert before > 0
core = ScorerCore(pipeline, StreamClock())
core.add_partition(0, 0)
for number in range(3):
    known = SourceDelta(0, number, DeltaDecoder(pipeline).decode(delta(number + 1, number)))
    core.step([SourceRecord(0, number, *encoded(number), 0, MONDAY + 10**9)], Acting(0, None), [known])
    core.commit()
core.step([SourceRecord(0, 3, *encoded(3), 0, MONDAY + 10**9)], Acting(0, None))
core.rollback()
assert compiled() == before
"""


@pytest.mark.acceptance
def test_no_step_waits_for_the_compiler(tmp_path: Path) -> None:
    path, _ = counting_frauds(tmp_path)
    command = [sys.executable, "-c", PROGRAM, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert ended.returncode == 0, ended.stderr
