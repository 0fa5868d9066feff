"""Exact reasons for a page: computed one at a time, within a time limit, and kept."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillComputingError
from typing import TYPE_CHECKING

import structlog

from console.explain.reproduction import Reproduced
from console.explain.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.messages import Manifest
    from training.keeper.evidence import Evidence
    from training.keeper.parts import Parts

WAIT_S = 2.0
"""A page waits no longer; the next look at it finds them."""
_KEPT = 200
_WAITING = 20
_VERSIONS = 3
_FAILED_S = 60.0
"""So long a failure stands: Kafka may have been away."""

log = structlog.get_logger()


class ExactReasons:
    """Reproduces scores with their exact reasons, in a thread of its own beside the sink's."""

    def __init__(self, parts: Parts, now_s: Callable[[], float] = time.monotonic) -> None:
        """Start nothing: the thread comes with the first question."""
        self._now_s = now_s
        self._parts = parts
        self._work = ThreadPoolExecutor(1, "exact reasons")
        self._one_at_a_time = threading.Lock()
        self._asked: OrderedDict[tuple[int, int], tuple[Future[Reproduced], float]] = OrderedDict()
        self._versions: OrderedDict[str, tuple[Manifest, bytes]] = OrderedDict()

    def of(self, found: Evidence, wait_s: float = WAIT_S) -> Reproduced | None:
        """The score computed once more; None where that takes longer, or too many have asked."""
        asked = self._ask(found)
        if asked is None:
            return None
        try:
            return asked.result(wait_s)
        except StillComputingError:
            return None

    def _ask(self, found: Evidence) -> Future[Reproduced] | None:
        place = found.scored.source_partition, found.scored.source_offset
        with self._one_at_a_time:
            asked, since = self._asked.get(place, (None, 0.0))
            if asked is None or self._is_over(asked, since):
                if sum(not each.done() for each, _ in self._asked.values()) >= _WAITING:
                    return None
                asked, since = self._work.submit(self._made, found), self._now_s()
                self._asked[place] = asked, since
                if len(self._asked) > _KEPT:
                    self._asked.popitem(last=False)
            self._asked.move_to_end(place)
            return asked

    def _is_over(self, asked: Future[Reproduced], since: float) -> bool:
        """Whether it failed a while ago."""
        return asked.done() and asked.result().equal is None and self._now_s() - since > _FAILED_S

    def _made(self, found: Evidence) -> Reproduced:
        try:
            from console.explain.reproduce import reproduced  # noqa: PLC0415  (loads the model libraries)

            return reproduced(self._parts.pipeline, found, self._version)
        except Exception as error:  # a library's own: the page says so, and the others go on
            log.exception("exact_reasons_failed", event_id=found.event_id, model=found.scored.model)
            return Reproduced(None, f"{type(error).__name__}: {error}")

    def _version(self, found: Evidence) -> tuple[Manifest, bytes]:
        """The version that scored ``found``; used by the one thread alone."""
        name = str(found.scored.model)
        if name not in self._versions:
            settings = self._parts.settings
            versions = Versions(self._parts.pipeline, settings.state_dir, lambda: settings.bootstrap)
            self._versions[name] = versions.of(found)
            if len(self._versions) > _VERSIONS:
                self._versions.popitem(last=False)
        return self._versions[name]
