"""Giving inputs to a reader, and noting what it must not do: raise what nobody handles, hang, take memory."""

from __future__ import annotations

import hashlib
import mmap
import resource
import struct
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tests.fuzz.target import Ready

MOST_SECONDS = 5.0
"""Of the processor, that one input of a few thousand bytes may take."""
MOST_MEMORY = 256 << 20
"""Bytes by which one input may raise the most memory that the process ever had."""

LAST = "last"
_ROOM = 1 << 20
_LENGTH = struct.Struct("<I")
_TELL_S = 0.5
_LONGEST_WORDS = 200
_ROOT = str(Path(__file__).resolve().parents[2])
_KIB = 1 if sys.platform == "darwin" else 1_024


class Finding(msgspec.Struct, frozen=True):
    """What a reader did that it must not, in ``words`` of the first time.

    ``input`` is the name of the file that makes it do so.
    """

    what: str
    words: str
    input: str


class Told(msgspec.Struct):
    """How far a run is."""

    inputs: int = 0
    findings: list[Finding] = []


class Watch:
    """Feeds one reader; every kind of finding is kept once, with the first input that showed it."""

    def __init__(self, ready: Ready, folder: Path) -> None:
        """``folder`` gets the inputs of findings, and ``told.json``; both of a run before are read."""
        self._check = ready.check
        self._folder = folder
        self._file = folder / "told.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.told = msgspec.json.decode(self._file.read_bytes(), type=Told) if self._file.exists() else Told()
        self._known = {finding.what for finding in self.told.findings}
        self._next = 0.0
        self._most = peak()
        self._last = _Last(folder / LAST)

    def feed(self, data: bytes) -> None:
        """Give the reader one input."""
        self._last.write(data)
        started = time.process_time()
        try:
            self._check(data)
        except Exception as error:  # noqa: BLE001  (whatever a reader lets out is what is looked for)
            self._note(_named(error), str(error)[:_LONGEST_WORDS], data)
        took, most = time.process_time() - started, peak()
        if took > MOST_SECONDS:
            self._note("it takes too long", f"{took:.1f} s", data)
        if most - self._most > MOST_MEMORY:
            self._note("it takes too much memory", f"{(most - self._most) >> 20} MiB", data)
        self._most = most
        self.told.inputs += 1
        now = time.monotonic()
        if now >= self._next:
            self.tell()
            self._next = now + _TELL_S

    def tell(self) -> None:
        """Write down how far it is; a reader may end the process at any input."""
        aside = self._file.with_suffix(".new")
        aside.write_bytes(msgspec.json.encode(self.told))
        aside.replace(self._file)

    def _note(self, what: str, words: str, data: bytes) -> None:
        if what in self._known:
            return
        self._known.add(what)
        name = f"found-{hashlib.sha256(data).hexdigest()[:12]}"
        (self._folder / name).write_bytes(data)
        self.told.findings.append(Finding(what, words, name))
        self.tell()


class _Last:
    """The input that is being looked at, where others find it who end this process: memory, not a file's."""

    def __init__(self, path: Path) -> None:
        with path.open("w+b") as file:
            file.truncate(_ROOM)
            self._room = mmap.mmap(file.fileno(), _ROOM)

    def write(self, data: bytes) -> None:
        kept = data[: _ROOM - _LENGTH.size]
        self._room[: _LENGTH.size + len(kept)] = _LENGTH.pack(len(kept)) + kept


def last_of(folder: Path) -> bytes:
    """The input at which a process ended that watched into ``folder``."""
    found = (folder / LAST).read_bytes()
    (length,) = _LENGTH.unpack_from(found)
    return found[_LENGTH.size : _LENGTH.size + length]


def _named(error: Exception) -> str:
    """The error, and the innermost line of ours that it passed: what is one finding."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f"{Path(each.filename).relative_to(_ROOT)}:{each.lineno}" for each in frames if _is_ours(each)]
    return f"{type(error).__name__} at {ours[-1] if ours else 'nowhere of ours'}"


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return (
        frame.filename.startswith(_ROOT)
        and "/.venv/" not in frame.filename
        and "/fuzz/" not in frame.filename
    )


def peak() -> int:
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
