"""After a start: whether every partition is held by somebody."""

from __future__ import annotations

import threading

import structlog

from feature_store.errors import BrokerError
from streams.kafka import KafkaException, share_anew, unheld
from streams.kafka.refused import AccessError

_log = structlog.get_logger()
_EVERY_S = 2.0
_SEEN = 2
"""So often in a row: a member that gave partitions up may be about to join again."""
_LONGEST_S = 300.0
_END_S = 15.0


class Sharing:
    """Looks from a thread of its own until the group was once seen at rest with nothing left over, and has it
    share out what is (``streams.kafka.unheld``). Only who comes back to a group can have left something so,
    and whoever comes back looks.
    """

    def __init__(
        self, bootstrap: str, group: str, topic: str, beside: str, every_s: float = _EVERY_S
    ) -> None:
        """``beside``: a topic that this process may read, and which is not shared among the group."""
        self._bootstrap = bootstrap
        self._group = group
        self._topic = topic
        self._beside = beside
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="sharing", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def _look(self) -> None:
        seen, pause_s = 0, self._every_s
        while not self._stop.wait(pause_s):
            pause_s = self._every_s
            try:
                missing = unheld(self._bootstrap, self._group, self._topic)
                if missing == set():
                    return
                seen = seen + 1 if missing else 0
                if missing and seen >= _SEEN:
                    _log.warning("partitions_held_by_nobody", partitions=sorted(missing), shared_anew=True)
                    share_anew(self._bootstrap, self._group, self._beside, self._stop)
                    pause_s = min(self._every_s * seen, _LONGEST_S)  # it did not help, or is not seen yet
            except AccessError as error:
                _log.warning("group_not_looked_at", why=str(error))
                return
            except (BrokerError, KafkaException) as error:
                _log.warning("group_not_looked_at", why=str(error))
                pause_s = _LONGEST_S
