"""What goes into one step of the scorer and what comes out: plain records, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.kafka import Headers, Trace


BY_KEY = -1
"""In place of a partition: that of the key, as every client finds it."""


class SourceRecord(NamedTuple):
    """One record of the events topic. Times in microseconds but for Kafka's own, in milliseconds."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    record_time_ms: int
    arrived_at: int
    trace: Trace = ()
    carried: bytes = b""
    """What the stage before has found; empty for an event itself."""


class SourceDelta(NamedTuple):
    """One record of the entity-outcomes topic: ``route_seq`` and what follows; None where it was refused, and
    for what counts nowhere, as the mark of a transaction.
    """

    partition: int
    offset: int
    values: tuple[Any, ...] | None


class Refused(NamedTuple):
    """A record that becomes a dead letter."""

    record: SourceRecord
    reason: str
    detail: str
    headers: Sequence[tuple[str, bytes | None]] = ()


class Decided(NamedTuple):
    """A decision, ready to be sent."""

    record: SourceRecord
    event_id: str
    model: str | None
    message: bytes


class Forwarded(NamedTuple):
    """An event on its way to the next stage; its key there, None where it has none."""

    key: bytes | None
    value: bytes | None
    headers: Headers


class LogMessage(NamedTuple):
    """A feature log message and the partition it belongs to."""

    partition: int
    message: bytes


class Under(NamedTuple):
    """Under what a step was decided: the epoch of the release, and the place of the policy on its topic."""

    epoch: int = 0
    policy: int = -1


NOTHING_DECIDED = Under()


class Position(NamedTuple):
    """Next offset of a partition's events, and of its entity outcomes; under which claim."""

    events: int
    outcomes: int = 0
    claim: int = 0


@dataclass
class StepResult:
    """Everything that one micro-batch adds to Kafka, and the positions after it."""

    decided: list[Decided] = field(default_factory=list)
    forwarded: list[Forwarded] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    log: list[LogMessage] = field(default_factory=list)
    positions: dict[int, Position] = field(default_factory=dict)
    duplicates: int = 0
    unscored: int = 0
    """Events for which the champion gave no finite number."""
    failures: dict[str, str] = field(default_factory=dict)
    """Model version -> what it raised."""
    actions: dict[str, int] = field(default_factory=dict)
    """Action -> decisions."""
    fallbacks: dict[str, int] = field(default_factory=dict)
    """Why no score decided -> decisions."""
