"""One log for all processes: every line in a file, warnings and errors on the terminal."""

from __future__ import annotations

import math
import re
import threading
import time
from collections import defaultdict, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

_KEPT = 12
_QUIET_SECONDS = 10.0
_ROTATE_BYTES = 64 << 20
_WHY = "sluicegate: "
_ERRORS = {"error", "critical", "exception"}
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")
"""What libraries send to steer a terminal; it does not belong in a log."""
_OWN = {"event", "level", "timestamp", "process", "logger", "exception"}


class LogBook:
    """The log of one run; safe to write from any thread."""

    def __init__(self, path: Path, show: Callable[[str], None], *, verbose: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _ROTATE_BYTES:
            path.replace(path.with_suffix(".1.jsonl"))
        self.path = path
        self._file = path.open("ab")
        self._show = show
        self._verbose = verbose
        self._lock = threading.Lock()
        self._heard: dict[str, float] = {}
        self._last: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._plain: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._file.close()

    def tell(self, process: str, level: str, event: str, **fields: Any) -> None:
        """Write a line of the supervisor's own about ``process``."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write(process, {"timestamp": moment, "level": level, "event": event, **fields})

    def line(self, process: str, raw: bytes) -> str | None:
        """Write a line that ``process`` printed; returns its event name where it is structured."""
        text = _TERMINAL.sub("", raw.decode("utf-8", errors="replace")).strip()
        if not text:
            return None
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            found = None
        if not isinstance(found, dict) or "event" not in found:
            with self._lock:
                self._plain[process] = text
            # A command tells in such lines why it ends: nobody should have to look for them in the file.
            self.tell(process, "error" if text.startswith(_WHY) else "info", "output", text=text)
            return None
        self._write(process, found)
        return str(found["event"])

    def last_words(self, process: str) -> str | None:
        """The last unstructured line of ``process``, once: where it broke, the end of a traceback."""
        with self._lock:
            return self._plain.pop(process, None)

    def last_lines(self, process: str) -> str:
        """What ``process`` said last, for a person."""
        with self._lock:
            return "\n".join(self._last[process])

    def _write(self, process: str, fields: dict[str, Any]) -> None:
        told = for_people(process, fields)
        with self._lock:
            self._last[process].append(told)
            if not self._file.closed:
                self._file.write(msgspec.json.encode({**fields, "process": process}) + b"\n")
                self._file.flush()
        if self._verbose or (_loud(fields) and not self._just_said(process, fields)):
            self._show(told)

    def _just_said(self, process: str, fields: dict[str, Any]) -> bool:
        """Whether a library of this process has been heard a moment ago: what it retries, it says again."""
        if "logger" not in fields:
            return False
        who, now = f"{process} {fields['logger']}", time.monotonic()
        if now - self._heard.get(who, -math.inf) < _QUIET_SECONDS:
            return True
        self._heard[who] = now
        return False


def _loud(fields: dict[str, Any]) -> bool:
    """Errors are for everybody; warnings too, but for those of libraries, which speak of what they retry."""
    level = str(fields.get("level", "info"))
    return level in _ERRORS or (level == "warning" and "logger" not in fields)


def for_people(process: str, fields: dict[str, Any]) -> str:
    """One line for the terminal; control characters are taken out, as the text may come from anywhere."""
    clock = str(fields.get("timestamp", ""))[11:19]
    level = str(fields.get("level", "info"))
    extra = " ".join(
        f"{key}={value}" for key, value in fields.items() if key not in _OWN and value is not None
    )
    text = f"{clock} {process} {level}: {fields.get('event')} {extra}".strip()
    if error := fields.get("exception"):
        text += f" | {str(error).strip().splitlines()[-1]}"
    return "".join(character if character.isprintable() else " " for character in text)
