"""What was told about events must come back, through the keeper, in the feature log: once each."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.counts import Counts
    from tests.chaos.fates import Logged
    from tests.chaos.reading import Record


class Outcomes:
    """The account of outcomes: the word on an event, the deltas on their topic, and those applied."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._told: dict[str, int] = {}
        self._known: Counter[str] = Counter()
        self._routed: dict[int, tuple[str, int]] = {}
        """``route_seq`` -> what it says; sent again it says the same."""
        self._applied: set[int] = set()
        self._last: dict[int, int] = {}

    def tell(self, event_id: str, *, fraud: bool) -> None:
        """It was said of an event."""
        self._told[event_id] = int(fraud)

    def delta(self, record: Record) -> None:
        """The next delta on the topic."""
        found = json.loads(record.value or b"null")
        said = found["event_id"], found["fraud"]
        if self._routed.setdefault(found["route_seq"], said) != said:
            self._counts.tell("wrong", f"route_seq {found['route_seq']} was given twice")

    def log(self, logged: Logged) -> None:
        """The next message of the feature log."""
        for row in logged.deltas:
            self._apply(row)

    def _apply(self, row: dict[str, Any]) -> None:
        number = row["route_seq"]
        if number in self._applied:
            self._counts.tell("doubled", f"outcome {number} was applied again")
        self._applied.add(number)
        self._known[row["event_id"]] += row["fraud"]

    def settled(self) -> bool:
        """Whether features know what was told, and the topic has nothing that was not applied."""
        return not self._differences() and self._routed.keys() == self._applied

    def unsettled(self) -> str:
        """How much is not."""
        waiting = len(self._routed.keys() ^ self._applied)
        return f"{len(self._differences())} outcomes not known to features, {waiting} deltas not applied"

    def close(self) -> None:
        """All was read: what is missing now is lost."""
        for event_id in self._differences():
            found = self._known[event_id]
            self._counts.tell(
                "lost", f"outcome of {event_id}: features know {found}, {self._told[event_id]} told"
            )
        for number in self._routed.keys() - self._applied:
            self._counts.tell("lost", f"outcome {number} was not applied")
        for number in self._applied - self._routed.keys():
            self._counts.tell("wrong", f"outcome {number} was applied and is not on the topic")

    def _differences(self) -> list[str]:
        return [event_id for event_id, fraud in self._told.items() if self._known[event_id] != fraud]
