"""A decision as one line, with personal data masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feature_store.errors import ContractError
from streams.messages import Decision

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message

_MASK = "***"


class DecisionLine:
    """Decisions of ``pipeline`` as text for people, or as JSON."""

    def __init__(self, pipeline: Pipeline, *, as_json: bool) -> None:
        self._personal = {name for name, spec in pipeline.event.fields.items() if spec.personal}
        self._as_json = as_json
        self._decoder = msgspec.json.Decoder(Decision)

    def of(self, message: Message) -> str:
        """One line. Raises ContractError for a record that is not a decision."""
        try:
            decision = self._decoder.decode(message.value() or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            where = f"{message.topic()}[{message.partition()}]@{message.offset()}"
            raise ContractError(f"{where}: not a decision: {error}") from error
        event = {name: _MASK if name in self._personal else value for name, value in decision.event.items()}
        decision = msgspec.structs.replace(decision, event=event)
        return msgspec.json.encode(decision).decode() if self._as_json else _words(decision)


def _words(decision: Decision) -> str:
    score = "     -" if decision.score is None else f"{decision.score:6.4f}"
    by = decision.model or decision.fallback or "-"
    event = " ".join(f"{name}={value}" for name, value in decision.event.items())
    why = f" rules={','.join(decision.rules)}" if decision.rules else ""
    control = " control" if decision.action != decision.policy_action else ""
    first = decision.amends
    amends = f" amends={first.topic}[{first.partition}]@{first.offset}" if first else ""
    line = (
        f"{decision.event_time} {decision.action:<7} {score} {by} {decision.event_id} {event}"
        f"{why}{control}{amends}"
    )
    return "".join(character if character.isprintable() else " " for character in line)
