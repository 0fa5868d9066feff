"""The whole account after a round. It shares no code with the product: pyarrow, aiokafka, DuckDB, Python."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from tests.chaos.fates import Counts, Fates
from tests.chaos.features import Features
from tests.chaos.outcomes import Outcomes
from tests.chaos.sunk import Sunk, copied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.chaos.fates import Logged
    from tests.chaos.reading import Reading, Record

_PAUSE_S = 0.5


class Checker:
    """Reads on from round to round; ``counts`` grow."""

    def __init__(self, reading: Reading) -> None:
        self.counts = Counts()
        self.fates = Fates(self.counts)
        self.outcomes = Outcomes(self.counts)
        self.features = Features(self.counts)
        self.sunk = Sunk(self.counts)
        self.newest: deque[str] = deque(maxlen=400)
        """The ids of some events that were logged last."""
        self._reading = reading
        self._waiting: dict[int, deque[Record]] = defaultdict(deque)
        """Log messages whose source has not been read."""

    def read(self, acknowledged: int, each: Callable[[], None], patience: float) -> None:
        """Read until all is accounted for: at least so many records of the source. Raises TimeoutError."""

        def enough() -> bool:
            read = self.counts.events >= acknowledged
            return (
                read and self.fates.settled() and self.outcomes.settled() and not any(self._waiting.values())
            )

        self._reading.on(self.feed, enough, each, patience)

    def feed(self, record: Record) -> None:
        """The next record of any topic."""
        match record.topic:
            case "events":
                self.fates.source(record)
                self._catch_up(record.partition)
            case "features":
                self._waiting[record.partition].append(record)
                self._catch_up(record.partition)
            case "decisions":
                self.fates.decision(record)
            case "dead_letters":
                self.fates.letter(record)
            case "entity_outcomes":
                self.outcomes.delta(record)

    def compare_store(
        self,
        state: Path,
        into: Path,
        keeper: Callable[[], int | None],
        each: Callable[[], None],
        patience: float,
    ) -> None:
        """Wait until the store has caught up, then compare a copy of it. Raises TimeoutError."""
        until = time.monotonic() + patience
        while True:
            each()
            store = copied(state, keeper(), into)
            if self.sunk.complete(store, self.counts.decided):
                break
            if time.monotonic() > until:
                raise TimeoutError("the keeper's store does not catch up")
            time.sleep(_PAUSE_S)
        self.sunk.compare(store, self.counts.decided)

    def unsettled(self) -> str:
        """What is not accounted for yet."""
        return f"{self.fates.unsettled()}, {self.outcomes.unsettled()}"

    def close(self) -> None:
        """All was read: what is missing now is lost."""
        self.fates.close()
        self.outcomes.close()

    def _catch_up(self, partition: int) -> None:
        waiting = self._waiting[partition]
        while waiting and self._can_take(waiting[0]):
            self._take(self.fates.log(waiting.popleft()))

    def _can_take(self, record: Record) -> bool:
        return self.fates.reach(record) <= len(self.fates.sources[record.partition])

    def _take(self, logged: Logged) -> None:
        self.features.log(logged)
        self.outcomes.log(logged)
        self.sunk.log(logged)
        self.newest.extend(row["event_id"] for row in logged.rows[::5])
