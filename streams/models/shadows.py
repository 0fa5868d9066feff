"""Loading shadows in a thread of its own: however long one takes, a release does not wait for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.models.champion import Champion


@dataclass(frozen=True)
class ShadowRequest:
    """A shadow that a release names: its version, and how to load it."""

    epoch: int
    version: str
    load: Callable[[], Champion]


class ShadowLoader:
    """Loads what was asked for last; what an older release asked for and is not begun yet is forgotten."""

    def __init__(
        self,
        loaded: Callable[[ShadowRequest, Champion], None],
        failed: Callable[[ShadowRequest, Exception], None],
    ) -> None:
        """``loaded`` and ``failed`` are called from the loader's thread."""
        self._loaded = loaded
        self._failed = failed
        self._asked = threading.Condition()
        self._requests: list[ShadowRequest] = []
        self._under_way = ""
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="shadows", daemon=True)

    def ask(self, requests: list[ShadowRequest]) -> None:
        """Load these, in their order, in place of what was asked before. Returns at once."""
        with self._asked:
            self._requests = [each for each in requests if each.version != self._under_way]
            if requests and not self._thread.is_alive() and not self._stopping:
                self._thread.start()
            self._asked.notify()

    def stop(self) -> None:
        """Begin nothing more. A load under way is not waited for: its thread ends with the process."""
        with self._asked:
            self._stopping = True
            self._requests = []
            self._asked.notify()

    def _work(self) -> None:
        while (request := self._next()) is not None:
            try:
                shadow = request.load()
            except Exception as error:  # noqa: BLE001  (a library may raise anything on a model it cannot run)
                self._over()
                self._failed(request, error)
            else:
                self._over()
                self._loaded(request, shadow)

    def _over(self) -> None:
        """Whoever asks for the same from here on is heard: what is told now may not be wanted any more."""
        with self._asked:
            self._under_way = ""

    def _next(self) -> ShadowRequest | None:
        with self._asked:
            self._asked.wait_for(lambda: self._requests or self._stopping)
            request = self._requests.pop(0) if self._requests else None
            self._under_way = request.version if request else ""
            return request
