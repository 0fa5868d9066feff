"""Drift alerts, as the alerts topic has them: whoever watches the stream may raise one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import ContractError
from streams.following import TopicFollower
from streams.messages import Alert
from streams.messages.alert import CLEARED

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.runs import LastRun

KIND = "drift"

_MOST_TEXT = 500
_MOST_ALERTS = 1_000

log = structlog.get_logger()


@dataclass(frozen=True)
class Drifted:
    """A drift alert and its place on the alerts topic; ``subjects`` of it that were not cleared since."""

    offset: int
    text: str
    subjects: frozenset[str]

    def without(self, cleared: set[str]) -> Drifted | None:
        """What is left of it; None where all that it was about is over. One about nothing named stays."""
        if not self.subjects & cleared:
            return self
        left = self.subjects - cleared
        return replace(self, subjects=left) if left else None


class DriftAlerts(TopicFollower):
    """Follows the alerts topic from where it had been read when a run was last asked for.

    So an alert counts until some run came after it, or until it is cleared, through restarts, and none counts
    twice. Its own time is not looked at: whoever raises it may live by another clock.
    """

    def __init__(self, bootstrap: str, pipeline: Pipeline, last: LastRun) -> None:
        super().__init__(bootstrap, pipeline.topics.alerts, "drift")
        self._pipeline = pipeline.name
        self._last = last
        self._next: int | None = None
        self._drifted: tuple[Drifted, ...] = ()

    @property
    def read(self) -> int | None:
        """The next offset; None before anything is known of the topic."""
        return self._next

    def since(self, offset: int | None) -> Drifted | None:
        """The newest alert at ``offset`` or after it; anywhere for None."""
        newest = self._drifted[-1] if self._drifted else None
        return newest if newest is not None and newest.offset >= (offset or 0) else None

    def _first(self, start: int, end: int) -> int:
        known = self._last.alerts_until
        if known is None:
            first = start if self._last.as_of is None else end  # runs were made before anyone listened
        else:
            first = known if start <= known <= end else start
        self._next = first
        return first

    def _feed(self, key: bytes | None, value: bytes | None, offset: int) -> bool:
        del key
        self._next = offset + 1
        try:
            alert = Alert.read(value)
        except ContractError as error:
            log.warning("alert_unreadable", offset=offset, why=str(error))
            return False
        if alert.pipeline != self._pipeline:
            return False
        if alert.kind == KIND + CLEARED:
            left = (each.without(set(alert.subjects)) for each in self._drifted)
            self._drifted = tuple(each for each in left if each is not None)
        elif alert.kind == KIND:
            drifted = Drifted(offset, alert.text[:_MOST_TEXT], frozenset(alert.subjects))
            self._drifted = (*self._drifted[1 - _MOST_ALERTS :], drifted)
        return True

    def _take(self) -> int | None:
        return self._next
