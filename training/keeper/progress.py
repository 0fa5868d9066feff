"""How far the sink has come, for the threads that wait for it or report it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Offsets = dict[tuple[str, int], int]
"""(topic, partition) -> next offset."""


class Progress:
    """The sink's committed position per partition; safe to share between threads."""

    def __init__(self) -> None:
        self._moved = threading.Condition()
        self._offsets: Offsets = {}

    def advance(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Tell that everything below ``offsets`` is in the store."""
        with self._moved:
            self._offsets.update(offsets)
            self._moved.notify_all()

    def offsets(self) -> Offsets:
        """The position of every partition."""
        with self._moved:
            return dict(self._offsets)

    def wait_for(self, targets: Mapping[tuple[str, int], int], stop: threading.Event) -> bool:
        """Wait until every target is reached; False when ``stop`` was set first."""
        with self._moved:
            while any(self._offsets.get(at, 0) < target for at, target in targets.items()):
                if stop.is_set():
                    return False
                self._moved.wait(0.5)
        return True
