"""What changes by itself, outside of the store: the monitor's figures, lags, alerts, dead letters."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from console.dead_letters import letter_of
from console.reading import newest
from console.web.alert_lines import AlertLine, alert_line
from console.web.kept import Kept
from console.web.monitor_client import monitor_figures
from streams.kafka import GroupLag, Lag
from training.keeper.status import status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.dead_letters import DeadLetter
    from console.web.monitor_figures import MonitorFigures
    from streams.kafka import Message
    from training.keeper.desk import Desk

MOST_ALERTS = 500
MOST_LETTERS = 1_000
MOST_BYTES = 67_108_864
"""Of letters or alerts: the keeper holds them while it runs, and a letter may have five million."""


class Live:
    """Each is asked for only while somebody looks at a page that shows it."""

    def __init__(self, desk: Desk, monitor_url: str | None) -> None:
        self._desk = desk
        self._lag: GroupLag | None = None
        self.monitor: Kept[MonitorFigures] = Kept(
            "the monitor", partial(monitor_figures, monitor_url), for_s=1
        )
        self.scorers: Kept[dict[int, Lag]] = Kept("the scorers' lag", self._scorers, for_s=2)
        self.keeper: Kept[dict[str, Any]] = Kept("the keeper's lag", lambda: status(desk.parts), for_s=4)
        self.alerts: Kept[list[AlertLine]] = Kept("alerts", self._alerts, for_s=3)
        self.letters: Kept[list[DeadLetter]] = Kept("dead letters", self._letters, for_s=3)

    def _scorers(self) -> dict[int, Lag]:
        if self._lag is None:
            parts = self._desk.parts
            group = parts.pipeline.scorer_group
            self._lag = GroupLag(parts.settings.bootstrap, group, parts.pipeline.topics.events)
        return self._lag()

    def _alerts(self) -> list[AlertLine]:
        found = self._newest(self._desk.parts.pipeline.topics.alerts, MOST_ALERTS)
        return [alert_line(message) for message in found]

    def _letters(self) -> list[DeadLetter]:
        found = self._newest(self._desk.parts.pipeline.topics.dead_letters, MOST_LETTERS)
        return [letter_of(message) for message in found]

    def _newest(self, topic: str, most: int) -> Iterator[Message]:
        return reversed(newest(self._desk.parts.settings.bootstrap, topic, most, most_bytes=MOST_BYTES))
