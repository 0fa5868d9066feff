"""Sending alerts: to the log and the alerts topic. One that cannot be sent never stops its sender."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from feature_store.units import to_text
from streams.kafka import KafkaException, plain_producer
from streams.messages import Alert

if TYPE_CHECKING:
    from feature_store.clock import Clock
    from feature_store.declaration.pipeline import Pipeline

_log = structlog.get_logger()

Details = dict[str, str | int | float | None]


class AlertSender:
    """Raises alerts in the name of one process."""

    def __init__(self, bootstrap: str, pipeline: Pipeline, clock: Clock, sender: str) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._producer = plain_producer(bootstrap, client_id=f"sluicegate.{pipeline.name}.{sender}.alerts")

    def send(self, kind: str, text: str, details: Details | None = None, *, wait_s: float = 0.0) -> None:
        """Raise an alert; ``kind`` is a stable word, ``text`` is for a person.

        Waits at most ``wait_s`` seconds for Kafka to take it.
        """
        details = details or {}
        _log.warning("alert", kind=kind, text=text, **details)
        alert = Alert(self._pipeline.name, kind, text, to_text(self._clock.now()), details)
        try:
            self._producer.produce(
                self._pipeline.topics.alerts, key=self._pipeline.name, value=msgspec.json.encode(alert)
            )
            self._producer.flush(wait_s) if wait_s else self._producer.poll(0)
        except (KafkaException, BufferError) as error:
            _log.error("alert_not_sent", kind=kind, why=str(error))

    def close(self, wait_s: float = 5.0) -> None:
        """Give what was raised last ``wait_s`` seconds to reach Kafka."""
        self._producer.flush(wait_s)
