"""A decision as one line, with personal data masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feature_store.errors import ContractError
from feature_store.units import from_text
from streams.messages import Decision

if TYPE_CHECKING:
    from console.decisions_meant import DecisionsMeant
    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message

_MASK = "***"
_MILLISECOND, _SECOND, _MINUTE, _HOUR, _DAY = 1_000, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
_UNITS = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m"), (_SECOND, "s"))


class DecisionLine:
    """Decisions of ``pipeline`` as text for people, or as JSON."""

    def __init__(self, pipeline: Pipeline, *, as_json: bool, meant: DecisionsMeant | None = None) -> None:
        """``meant``: which of them; without it, all."""
        self._personal = {name for name, spec in pipeline.event.fields.items() if spec.personal}
        self._as_json = as_json
        self._meant = meant
        self._decoder = msgspec.json.Decoder(Decision)

    def means(self, message: Message) -> bool:
        """Whether this decision is meant. Raises ContractError for a record that is not a decision."""
        return self._meant is None or self._meant.means(self._decision(message))

    def of(self, message: Message) -> str:
        """One line. Raises ContractError for a record that is not a decision."""
        decision = self._decision(message)
        event = {name: _MASK if name in self._personal else value for name, value in decision.event.items()}
        decision = msgspec.structs.replace(decision, event=event)
        return msgspec.json.encode(decision).decode() if self._as_json else _words(decision)

    def _decision(self, message: Message) -> Decision:
        try:
            return self._decoder.decode(message.value() or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            where = f"{message.topic()}[{message.partition()}]@{message.offset()}"
            raise ContractError(f"{where}: not a decision: {error}") from error


def _words(decision: Decision) -> str:
    score = "     -" if decision.score is None else f"{decision.score:6.4f}"
    by = decision.model or decision.fallback or "-"
    event = " ".join(f"{name}={value}" for name, value in decision.event.items())
    why = f" rules={','.join(decision.rules)}" if decision.rules else ""
    control = " control" if decision.action != decision.policy_action else ""
    first = decision.amends
    amends = f" amends={first.topic}[{first.partition}]@{first.offset}" if first else ""
    age = duration(from_text(decision.decided_at) - from_text(decision.event_time))
    line = (
        f"{decision.event_time} {age:>6} {decision.action:<7} {score} {by} {decision.event_id} {event}"
        f"{why}{control}{amends}"
    )
    return "".join(character if character.isprintable() else " " for character in line)


def duration(microseconds: int) -> str:
    """About how long, with its sign: ``+12ms``, ``+3.2s``, ``-5m``."""
    sign, length = "-" if microseconds < 0 else "+", abs(microseconds)
    for unit, name in _UNITS:
        if length >= unit:
            shown = f"{length / unit:.1f}" if unit == _SECOND else str(length // unit)
            return f"{sign}{shown}{name}"
    return f"{sign}{length // _MILLISECOND}ms"
