"""How a process ended is remembered: by itself, and when it was told to."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.chaos.parts import Part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTENS = (
    "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('listens', flush=True);"
    "signal.pause()"
)


@pytest.fixture
def part(tmp_path: Path) -> Iterator[Part]:
    made = Part("scorer0", [sys.executable, "-c", LISTENS], tmp_path / "log")
    made.start()
    while b"listens" not in made.said(0):
        assert made.runs
    yield made
    made.end()


def test_how_it_ended_when_it_was_told_to_is_counted(part: Part) -> None:
    assert part.stop() == 7
    assert (part.stopped, part.ended) == ({7: 1}, {})


def test_one_that_had_ended_already_was_not_told(part: Part) -> None:
    part.send(signal.SIGKILL)
    assert part.wait(60) == -signal.SIGKILL
    part.revive()
    assert part.stop() == -signal.SIGKILL
    assert (part.stopped, part.ended) == ({}, {-signal.SIGKILL: 1})
