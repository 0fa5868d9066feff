"""Which decisions a command means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.declaration.decision import Action
from feature_store.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Decision


@dataclass(frozen=True)
class DecisionsMeant:
    """What is empty does not narrow it; a decision is meant when all that is given fits."""

    actions: frozenset[str] = frozenset()
    values: tuple[tuple[str, str], ...] = ()
    """Field of the event, and its value as text."""

    @property
    def everything(self) -> bool:
        """Whether every decision is meant."""
        return not self.actions and not self.values

    def means(self, decision: Decision) -> bool:
        """Whether ``decision`` is one of them."""
        return (not self.actions or decision.action in self.actions) and all(
            _is(decision.event.get(name), text) for name, text in self.values
        )


def decisions_meant(pipeline: Pipeline, actions: Sequence[str], entities: Sequence[str]) -> DecisionsMeant:
    """What ``--action`` and ``--entity`` say. Raises ConfigError."""
    for action in actions:
        if action not in set(Action):
            raise ConfigError(f"--action {action}: expected {', '.join(Action)}")
    return DecisionsMeant(frozenset(actions), tuple(_field(pipeline, text) for text in entities))


def _field(pipeline: Pipeline, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--entity {text}: expected FIELD=VALUE")
    if name not in pipeline.event.passthrough:
        raise ConfigError(
            f"--entity {text}: decisions do not carry {name!r}, only fields declared passthrough: "
            f"{', '.join(pipeline.event.passthrough)}"
        )
    return name, value


def _is(value: object, text: str) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        try:
            return float(text) == value
        except ValueError:
            return False
    return value is not None and str(value) == text
