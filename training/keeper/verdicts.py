"""Verdicts of people: each becomes an outcome on Kafka, with who said it, and a line of the audit trail.

1. What the source last said about the event is looked up; the same again sends nothing.
2. The outcome is sent, and Kafka's word that it has it is waited for.
3. Only then is it remembered here, until the sink has stored it, and noted in the trail.

Kafka's word may come later than somebody waits for it: then 3 is done when it comes. A kill between 2 and 3
leaves who said it in the headers of the outcome.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from feature_store.clock import ARRIVED_AT
from feature_store.errors import BrokerError, ContractError
from feature_store.units import to_text
from streams.kafka import plain_producer, plain_refusal
from streams.messages import Label, Outcome
from training.keeper.claims import Claims
from training.keeper.evidence import NOT_STORED
from training.keeper.store import rows

if TYPE_CHECKING:
    from streams.kafka import KafkaError, Message, Producer
    from training.keeper.audit import Audit
    from training.keeper.parts import Parts

ACK_S = 10.0
"""How long Kafka may take."""

_encode = msgspec.json.Encoder().encode


class Verdict(msgspec.Struct, frozen=True):
    """What a person says of an event; ``seen`` is what they were shown that the source had said, "" nothing.

    ``seen`` None: whatever was said is replaced.
    """

    event_id: str
    label: Label
    who: str
    role: str
    seen: str | None = None


class Verdicts:
    """Takes verdicts, from any thread; remembers those that the store may not have yet."""

    def __init__(self, parts: Parts, audit: Audit) -> None:
        """Open nothing: the first verdict connects."""
        self.claims = Claims()
        self.source = parts.pipeline.console.verdicts_source(parts.pipeline.outcomes.sources)
        self._parts = parts
        self._audit = audit
        self._one_at_a_time = threading.Lock()
        self._remembering = threading.Lock()
        self._remembered: dict[str, _Sent] = {}
        self._producer: Producer | None = None

    def said(self) -> dict[str, Label]:
        """Verdicts by event that Kafka has and the store has not yet."""
        self._hear()
        sunk = self._parts.progress.offsets()
        with self._remembering:
            self._remembered = {
                event: sent
                for event, sent in self._remembered.items()
                if sunk.get((sent.topic, sent.partition), 0) <= sent.offset
            }
            return {event: sent.label for event, sent in self._remembered.items()}

    def say(self, verdict: Verdict) -> bool:
        """Send it; False where the source says just that already.

        Raises LookupError for an event that is not stored, ContractError where something else was said than
        ``seen``, BrokerError or KafkaException where Kafka does not confirm: then it is not taken for said.
        """
        event_id = verdict.event_id
        if not self._one_at_a_time.acquire(timeout=ACK_S):  # so that they do not hold up every thread
            raise BrokerError(f"Kafka is slow: others wait for it too; say it again of event {event_id}")
        try:
            if self._producer is not None:
                self._producer.poll(0)
            before = self.last_word(event_id)
            if before == verdict.label:
                return False
            if verdict.seen is not None and verdict.seen != (before or ""):
                raise ContractError(
                    f"somebody said {before!r} of event {event_id} a moment ago; look at it again"
                    if before
                    else f"nobody has said anything of event {event_id} by now; look at it again"
                )
            self._send(verdict, before)
        finally:
            self._one_at_a_time.release()
        return True

    def _taken(self, verdict: Verdict, before: str | None, sent: _Sent) -> None:
        """Kafka has it."""
        with self._remembering:
            self._remembered[verdict.event_id] = sent
        self.claims.release(verdict.event_id)
        self._audit.note(
            verdict.who,
            verdict.role,
            "console",
            "verdict",
            verdict.event_id,
            None if before is None else {"label": before, "source": self.source},
            {"label": verdict.label, "source": self.source},
        )

    def _hear(self) -> None:
        """Let Kafka say what it has got since somebody stopped waiting."""
        if self._producer is not None and self._one_at_a_time.acquire(blocking=False):
            try:
                self._producer.poll(0)
            finally:
                self._one_at_a_time.release()

    def last_word(self, event_id: str) -> str | None:
        """What the source says of the event, as far as is known here.

        Raises LookupError where the event is not stored.
        """
        remembered = self.said().get(event_id)
        if remembered is not None:
            return remembered.value
        with self._parts.store.cursor() as cursor:
            found = rows(cursor, "verdicts_before", {"event_id": event_id, "source": self.source})[0]
        if not found["stored"]:
            raise LookupError(NOT_STORED.format(event_id))
        return None if found["label"] is None else str(found["label"])

    def _send(self, verdict: Verdict, before: str | None) -> None:
        now = self._parts.clock.now()
        outcome = Outcome(verdict.event_id, verdict.label, to_text(now), self.source)
        if self._producer is None:
            self._producer = plain_producer(
                self._parts.settings.bootstrap,
                linger_ms=0,
                client_id=f"sluicegate.{self._parts.pipeline.name}.keeper.verdicts",
            )
        errors: list[KafkaError | None] = []

        def answered(error: KafkaError | None, message: Message) -> None:
            errors.append(error)
            if error is None:
                place = message.topic() or "", message.partition() or 0, message.offset() or 0
                self._taken(verdict, before, _Sent(verdict.label, *place))

        self._producer.produce(
            self._parts.pipeline.topics.outcomes,
            key=verdict.event_id,
            value=_encode(outcome),
            headers=[
                (ARRIVED_AT, str(now // 1_000)),
                ("by", verdict.who),
                ("role", verdict.role),
                ("via", "console"),
            ],
            on_delivery=answered,
        )
        self._producer.flush(ACK_S)
        if not errors:
            raise BrokerError(
                f"Kafka has not confirmed the verdict on {verdict.event_id} within {ACK_S:.0f} s, but may "
                "still get it. Say it again: the same word counts once"
            )
        if (error := errors[0]) is not None:
            refused = plain_refusal(error, f"topic {self._parts.pipeline.topics.outcomes!r}", "Write")
            raise refused or BrokerError(f"the verdict on {verdict.event_id} was not sent: {error.str()}")


class _Sent(NamedTuple):
    """A verdict where it stands on Kafka."""

    label: Label
    topic: str
    partition: int
    offset: int
