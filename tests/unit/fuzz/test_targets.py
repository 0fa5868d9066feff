"""Every reader that is fuzzed takes its seeds, what once was a finding, and some changed inputs."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuzz import watch as watch_module
from tests.fuzz.mutate import mutated
from tests.fuzz.target import Ready
from tests.fuzz.targets import TARGETS
from tests.fuzz.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT = Path(__file__).resolve().parents[2] / "fuzz" / "kept"
_CHANGED = 30
_WITH_A_BROKER = {"console", "keeper-api"}
"""Not here: tests/unit/web asks the same pages, with a broker that the whole run shares."""


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in _WITH_A_BROKER])
def test_nothing_is_found_among_inputs_that_were_looked_at(name: str, tmp_path: Path) -> None:
    ready = TARGETS[name].prepare(tmp_path)
    watch = Watch(ready, tmp_path / "watched")
    for seed in ready.seeds:
        watch.feed(seed)
    for file in sorted((KEPT / name).glob("*")):
        watch.feed(file.read_bytes())
    chance = random.Random(7)
    for _ in range(_CHANGED):
        watch.feed(mutated(chance, ready.seeds, ready.words, TARGETS[name].longest))
    assert watch.told.findings == []


def test_what_is_kept_is_of_a_target() -> None:
    assert {folder.name for folder in KEPT.iterdir()} <= TARGETS.keys()


def _raises(_: bytes) -> None:
    raise LookupError("of no use")


def _takes(_: bytes) -> None:
    """As well it may."""


def _found(check: Callable[[bytes], None], folder: Path) -> str:
    """The one finding of two inputs, which another process can read."""
    watch = Watch(Ready(check, [b""]), folder)
    watch.feed(b"first")
    watch.feed(b"second")
    watch.tell()
    assert Watch(Ready(check, [b""]), folder).told == watch.told
    (finding,) = watch.told.findings
    assert (folder / finding.input).read_bytes() == b"first"
    return finding.what


def test_an_error_that_nobody_handles_is_found_once(tmp_path: Path) -> None:
    assert "LookupError" in _found(_raises, tmp_path)


def test_much_memory_or_time_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peaks, clock = itertools.count(0, 1 << 30), itertools.count(0.0, 60.0)
    monkeypatch.setattr(watch_module, "peak", lambda: next(peaks))
    assert "memory" in _found(_takes, tmp_path / "memory")
    monkeypatch.undo()
    monkeypatch.setattr("time.process_time", lambda: next(clock))
    assert "too long" in _found(_takes, tmp_path / "time")
