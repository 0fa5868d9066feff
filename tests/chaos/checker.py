"""The whole account after a round. It shares no code with the product: pyarrow, aiokafka, DuckDB, Python."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from tests.chaos.counts import Counts
from tests.chaos.declared import PLAIN
from tests.chaos.fates import Fates, decoded
from tests.chaos.features import Features
from tests.chaos.hops import Hops
from tests.chaos.outcomes import Outcomes
from tests.chaos.sunk import Sunk, copied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.chaos.declared import Declared
    from tests.chaos.fates import Logged
    from tests.chaos.reading import Reading, Record

_PAUSE_S = 0.5
_FIRST, _LAST = 0, -1


class Checker:
    """Reads on from round to round; ``counts`` grow."""

    def __init__(self, reading: Reading, declared: Declared = PLAIN) -> None:
        self.counts = Counts()
        self._stages = [Fates(self.counts, first=number == 0) for number in range(len(declared.stages))]
        self._hops = Hops(self.counts, self._stages[_FIRST], self._stages[_LAST])
        self.outcomes = Outcomes(self.counts)
        self.features = Features(self.counts, declared.stages)
        self.sunk = Sunk(self.counts, declared.stored)
        self.newest: deque[str] = deque(maxlen=400)
        """The ids of some events that were logged last."""
        self._reading = reading
        self._waiting: list[dict[int, deque[Logged]]] = [defaultdict(deque) for _ in declared.stages]
        """By stage and partition: log messages of which something has not been read."""

    def read(self, acknowledged: int, each: Callable[[], None], patience: float) -> None:
        """Read until all is accounted for: at least so many records of the source. Raises TimeoutError."""

        def enough() -> bool:
            return (
                self.counts.events >= acknowledged
                and all(stage.settled() for stage in self._stages)
                and self.outcomes.settled()
                and not any(any(waiting.values()) for waiting in self._waiting)
            )

        self._reading.on(self.feed, enough, each, patience)

    def feed(self, record: Record) -> None:
        """The next record of any topic."""
        match record.topic:
            case "events":
                self._stages[_FIRST].source(record)
            case "between":
                self._stages[_LAST].source(record)
            case "stage_log":
                self._waiting[_FIRST][record.partition].append(decoded(record))
            case "features":
                self._waiting[_LAST][record.partition].append(decoded(record))
            case "decisions":
                self._stages[_LAST].decision(record)
            case "dead_letters":
                self._stages[_FIRST].letter(record)
            case "entity_outcomes":
                self.outcomes.delta(record)
        self._catch_up()

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
        waiting = sum(len(each) for stage in self._waiting for each in stage.values())
        accounts = [*(stage.unsettled() for stage in self._stages), self.outcomes.unsettled()]
        return f"{', '.join(accounts)}, {waiting} messages of logs that speak of what nobody has sent"

    def close(self) -> None:
        """All was read: what is missing now is lost."""
        for stage in self._stages:
            stage.close()
        self.outcomes.close()

    def _catch_up(self) -> None:
        for number in range(len(self._stages)):
            for waiting in self._waiting[number].values():
                while waiting and self._can_take(number, waiting[0]):
                    self._take(number, waiting.popleft())

    def _can_take(self, number: int, logged: Logged) -> bool:
        read = logged.reach <= self._stages[number].read[logged.partition]
        return read and (number == _FIRST or self._hops.known(logged))

    def _take(self, number: int, logged: Logged) -> None:
        if number != _FIRST:
            self._hops.log(logged)
        self._stages[number].log(logged)
        self.features.log(number, logged)
        if self._stages[number] is self._stages[_LAST]:
            self.outcomes.log(logged)
            self.sunk.log(logged)
            self.newest.extend(row["event_id"] for row in logged.rows[::5])
