"""Alerts as they stand on their topic, for pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.errors import ContractError
from feature_store.units import from_text
from streams.messages import Alert

if TYPE_CHECKING:
    from streams.kafka import Message

_LOUD = frozenset(
    {
        "behind", "champion_alarm", "dead_letter_share", "partition_paused", "rollback", "score_not_finite",
        "silence", "unreadable",
    }
)  # fmt: skip


@dataclass(frozen=True)
class AlertLine:
    """One alert and its place; ``raised_at`` by the pipeline's clock, ``sent_at`` by Kafka's (us since 1970).

    What is no alert is shown as one of the kind ``unreadable``: anybody may have written it.
    """

    offset: int
    kind: str
    text: str
    raised_at: int | None
    sent_at: int
    details: dict[str, str | int | float | None]


def alert_line(message: Message) -> AlertLine:
    """The alert in a record of the alerts topic."""
    where, sent_at = message.offset() or 0, int(message.timestamp()[1]) * 1_000
    try:
        alert = Alert.read(message.value())
        raised_at = from_text(alert.raised_at)
    except (ContractError, ValueError, OverflowError) as error:
        return AlertLine(where, "unreadable", f"this record is no alert: {error}", None, sent_at, {})
    return AlertLine(where, alert.kind, alert.text, raised_at, sent_at, dict(alert.details))


def badge_of(kind: str) -> str:
    """How loud a kind is, as a class of the style sheet: over again, not as it should be, or worth a look."""
    if "cleared" in kind:
        return "good"
    return "bad" if kind in _LOUD or kind.endswith(("_failed", "_rejected")) else "warn"
