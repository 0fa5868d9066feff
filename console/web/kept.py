"""Answers that are looked up in the background and kept a while: no page waits for another system."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from feature_store.duck import DuckError
from feature_store.errors import SluicegateError
from streams.kafka import KafkaException

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_AWAY = (SluicegateError, KafkaException, DuckError, OSError)

log = structlog.get_logger()


@dataclass(frozen=True)
class Found(Generic[T]):
    """The newest answer, None where there never was one; and why the last look failed, if it did."""

    value: T | None = None
    why: str | None = None


class Kept(Generic[T]):
    """Asks ``ask`` when somebody wants to know and the last answer is older than ``for_s`` seconds.

    It is asked in a thread of its own, one at a time. Nobody waits for it longer than until ``patience_s``
    after it was asked; where it takes longer, the answer before is given.
    """

    def __init__(self, what: str, ask: Callable[[], T], *, for_s: float, patience_s: float = 1.5) -> None:
        self._what = what
        self._ask = ask
        self._for_s = for_s
        self._patience_s = patience_s
        self._found: Found[T] = Found(why=f"{what}: still asking")
        self._until = 0.0
        self._began = 0.0
        self._asking: threading.Thread | None = None
        self._one_at_a_time = threading.Lock()

    def begin(self) -> threading.Thread | None:
        """Ask, where it is time to, without waiting; gives who is asking."""
        with self._one_at_a_time:
            if time.monotonic() < self._until:
                return None
            if self._asking is None:
                self._began = time.monotonic()
                self._asking = threading.Thread(target=self._look, name=f"look {self._what}", daemon=True)
                self._asking.start()
            return self._asking

    def __call__(self) -> Found[T]:
        """The answer, at most ``for_s`` old unless asking takes long."""
        asking = self.begin()
        if asking is not None:
            asking.join(max(0.0, self._began + self._patience_s - time.monotonic()))
        return self._found

    def forget(self) -> None:
        """Ask anew next time: something was changed."""
        self._until = 0.0

    def _look(self) -> None:
        found = Found(self._found.value, f"{self._what}: looking it up failed; the keeper's log says why")
        try:
            found = Found(self._ask())
        except _AWAY as error:
            log.info("not_looked_up", what=self._what, why=str(error))
            found = Found(self._found.value, f"{self._what}: {error}")
        finally:
            with self._one_at_a_time:
                self._found = found
                self._until = time.monotonic() + self._for_s
                self._asking = None
