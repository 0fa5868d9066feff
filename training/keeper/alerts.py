"""Alerts: kept in the store, sent to the alerts topic, and logged."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import structlog

from feature_store.units import to_text
from streams.kafka import KafkaException, plain_producer
from streams.messages import Alert
from training.keeper.queries import sql

if TYPE_CHECKING:
    from feature_store.clock import Clock
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection

_FLUSH_S = 10.0

log = structlog.get_logger()


class Alerts:
    """Raises alerts, from any thread. A topic that cannot be written costs the message, never the keeper."""

    def __init__(self, store: Connection, bootstrap: str, pipeline: Pipeline, clock: Clock) -> None:
        self._store = store.cursor()
        self._one_at_a_time = threading.Lock()
        self._producer = plain_producer(bootstrap, client_id=f"sluicegate.{pipeline.name}.keeper.alerts")
        self._pipeline = pipeline
        self._clock = clock

    def close(self) -> None:
        """Leave Kafka."""
        self._producer.close()

    def __call__(self, kind: str, text: str, details: dict[str, str | int | float | None]) -> None:
        """Raise an alert; ``kind`` is a stable word, ``text`` is for a person."""
        now = self._clock.now()
        log.warning("alert", kind=kind, text=text, **details)
        alert = Alert(self._pipeline.name, kind, text, to_text(now), details)
        with self._one_at_a_time:
            self._store.execute(
                sql("add_alert"),
                {
                    "kind": kind,
                    "text": text,
                    "raised_at": now,
                    "details": msgspec.json.encode(details).decode(),
                },
            )
        try:
            self._producer.produce(
                self._pipeline.topics.alerts, key=self._pipeline.name, value=msgspec.json.encode(alert)
            )
            self._producer.flush(_FLUSH_S)
        except (KafkaException, BufferError) as error:
            log.error("alert_not_sent", kind=kind, error=str(error))  # noqa: TRY400  (the error is expected)
