"""The alerts that monitors sent, as the alerts topic has them: what was said is not said again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from feature_store.errors import ContractError
from streams.following import TopicFollower
from streams.messages import Alert
from streams.messages.alert import CLEARED
from streams.monitor.episodes import Subject

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.monitor.episodes import Episodes

BY = "monitor"
"""The detail that names the monitor that sent an alert."""


class Told(TopicFollower):
    """Follows the alerts topic: a monitor that starts knows what others have said."""

    def __init__(self, bootstrap: str, pipeline: Pipeline, episodes: Episodes, own: str) -> None:
        """``own``: the name that alerts of this monitor bear, which it knows of."""
        super().__init__(bootstrap, pipeline.topics.alerts, "told")
        self._pipeline = pipeline.name
        self._episodes = episodes
        self._own = own
        self._lock = threading.Lock()
        self._heard_of: list[tuple[bool, list[Subject]]] = []

    def apply(self) -> None:
        """Tell the episodes what was heard since the last call; to be called by whoever looks."""
        with self._lock:
            heard, self._heard_of = self._heard_of, []
        for cleared, subjects in heard:
            self._episodes.heard([] if cleared else subjects, subjects if cleared else [])

    def _feed(self, key: bytes | None, value: bytes | None, offset: int) -> bool:
        del key, offset
        try:
            alert = Alert.read(value)
        except ContractError:
            return False  # the keeper says so
        if alert.pipeline != self._pipeline or alert.details.get(BY) in {None, self._own}:
            return False
        kind = alert.kind.removesuffix(CLEARED)
        subjects = [Subject(kind, of) for of in alert.subjects]
        with self._lock:
            self._heard_of.append((alert.kind.endswith(CLEARED), subjects))
        return False

    def _take(self) -> None:
        return None
