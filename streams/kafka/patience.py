"""A limit for calls that may never return.

librdkafka's ``send_offsets_to_transaction`` does not keep its timeout while the group's coordinator is away,
and may wait for ever once Kafka was restarted (2.16; its issues 5456 and 5511).
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_log = structlog.get_logger()
_EVERY_S = 1.0


def end_process() -> None:
    """End at once: the thread that hangs cannot be asked to."""
    os._exit(StateError.exit_code)


class Patience:
    """Ends the process when one call has taken too long, so that a fresh one recovers."""

    def __init__(self, patience_s: float, give_up: Callable[[], None] = end_process) -> None:
        self._patience_s = patience_s
        self._give_up = give_up
        self._call: tuple[str, float] | None = None
        self._watching = False

    @contextmanager
    def over(self, what: str) -> Iterator[None]:
        """Watch over one call."""
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._watch, daemon=True, name="patience").start()
        self._call = (what, time.monotonic())
        try:
            yield
        finally:
            self._call = None

    def _watch(self) -> None:
        pause = threading.Event()  # a sleep raises where a clock is stepped under libfaketime
        while not pause.wait(_EVERY_S):
            call = self._call
            if call is not None and time.monotonic() - call[1] > self._patience_s:
                try:
                    _log.error(
                        "call_never_returned",
                        what=call[0],
                        seconds=round(self._patience_s),
                        then="the process ends so that a fresh one recovers from what was committed",
                    )
                finally:  # a log that cannot be written must not keep the process
                    self._give_up()
                return
