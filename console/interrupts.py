"""Being asked to stop: the first signal stops tidily, a second one at once."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(BaseException):
    """The user, or the system, asked this program to stop."""


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise StopAsked in the main thread at the first SIGINT, SIGTERM or SIGHUP.

    After that a second signal ends this process at once; its children then stop by themselves.
    """
    before = {number: signal.signal(number, _first) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def set_on_reload(event: threading.Event) -> Iterator[None]:
    """Set ``event`` at every SIGUSR1: there is a changed pipeline file to take."""
    before = signal.signal(signal.SIGUSR1, lambda *_: event.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def _first(number: int, frame: FrameType | None) -> None:
    del frame
    for each in _SIGNALS:
        signal.signal(each, _second)
    raise StopAsked(signal.Signals(number).name)


def _second(number: int, frame: FrameType | None) -> None:
    del frame
    sys.stderr.write("sluicegate: ended at once; what it started stops by itself\n")
    os._exit(128 + number)
