"""Alerts of the keeper: kept in the store, sent to the alerts topic, and logged."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from streams.alerts import AlertSender
from training.keeper.queries import sql

if TYPE_CHECKING:
    from feature_store.clock import Clock
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from streams.alerts import Details

_FLUSH_S = 10.0


class Alerts:
    """Raises alerts, from any thread. A topic that cannot be written costs the message, never the keeper."""

    def __init__(self, store: Connection, bootstrap: str, pipeline: Pipeline, clock: Clock) -> None:
        self._store = store.cursor()
        self._one_at_a_time = threading.Lock()
        self._sender = AlertSender(bootstrap, pipeline, clock, "keeper")
        self._clock = clock

    def close(self) -> None:
        """Leave Kafka."""
        self._sender.close()

    def __call__(self, kind: str, text: str, details: Details) -> None:
        """Raise an alert; ``kind`` is a stable word, ``text`` is for a person."""
        with self._one_at_a_time:
            self._store.execute(
                sql("add_alert"),
                {
                    "kind": kind,
                    "text": text,
                    "raised_at": self._clock.now(),
                    "details": msgspec.json.encode(details).decode(),
                },
            )
        self._sender.send(kind, text, details, wait_s=_FLUSH_S)
