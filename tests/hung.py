"""A test that hangs where no signal reaches it ends its process, which says where it was; another goes on.

pytest-timeout interrupts a test by a signal, which Python handles between two of its own instructions only: a
call of a C library that never returns is not ended by it, and one that holds the interpreter not by another
thread either.
"""

from __future__ import annotations

import faulthandler
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

GRACE_S = 60.0
"""How much longer than its time-out a test may take to end."""


class Watch:
    """A plugin of pytest. To be made while output is not captured: it writes to what stderr is then."""

    def __init__(self, config: pytest.Config, grace_s: float = GRACE_S) -> None:
        self._timeout_s = float(config.getini("timeout"))
        self._grace_s = grace_s
        self._stderr = os.dup(2)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """From its setup to the end of its teardown."""
        self._begin(item)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Once more, since pytest itself ends the watch over a test that failed."""
        self._begin(item)

    def _begin(self, item: pytest.Item) -> None:
        mark = item.get_closest_marker("timeout")
        seconds = float(mark.args[0]) if mark else self._timeout_s
        faulthandler.dump_traceback_later(seconds + self._grace_s, exit=True, file=self._stderr)
