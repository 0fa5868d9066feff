"""After a start: whether every partition is held by somebody."""

from __future__ import annotations

import threading
import time

import structlog

from feature_store.errors import BrokerError
from streams.kafka import share_anew, unheld

_log = structlog.get_logger()
_EVERY_S = 2.0
_PATIENCE_S = 6.0
"""How long the same partitions are seen to be nobody's: whoever gave them up may be about to join again."""
_LONGEST_S = 300.0
_END_S = 3.0


class Sharing:
    """Looks from a thread of its own until the group was once seen at rest with nothing left over, and has it
    share out what is (``streams.kafka.unheld``). Only who comes back to a group can have left something so.
    """

    def __init__(
        self,
        bootstrap: str,
        group: str,
        topic: str,
        beside: str,
        every_s: float = _EVERY_S,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """``beside``: a topic that this process may read, and which is not shared among the group."""
        self._bootstrap = bootstrap
        self._group = group
        self._topic = topic
        self._beside = beside
        self._every_s = every_s
        self._patience_s = patience_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sharing", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def _run(self) -> None:
        try:
            self._look()
        except BrokerError as error:  # it will not be told who holds what
            _log.warning("group_not_looked_at", why=str(error))
        except Exception as error:  # noqa: BLE001  (what it watches over goes on without it)
            _log.error("group_not_looked_at", why=repr(error))

    def _look(self) -> None:
        missing: set[int] | None = None
        since, patience_s = 0.0, self._patience_s
        while not self._stop.wait(self._every_s):
            found = unheld(self._bootstrap, self._group, self._topic)
            if found == set():
                return
            if found != missing:
                missing, since = found, time.monotonic()
            elif found and time.monotonic() - since >= patience_s:
                _log.warning(
                    "partitions_held_by_nobody", partitions=sorted(found), then="they are shared anew"
                )
                share_anew(self._bootstrap, self._group, self._beside, self._stop)
                missing, patience_s = None, min(2 * patience_s, _LONGEST_S)
