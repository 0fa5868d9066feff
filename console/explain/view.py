"""One decision on a page: the event, the decision, the score reproduced, and the reasons as bars."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from rich.table import Table
from rich.text import Text

from console.explain.reproduction import SCORELESS
from console.explain.words import policy_in_words, rule_in_words
from console.page import page
from feature_store.declaration.texts import FeatureTexts, plain
from streams.messages import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.explain.reproduction import Reproduced
    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.evidence import Evidence

_MASK = "***"
_BAR = 12


class ExplainedPage:
    """Explanations of decisions of ``pipeline``; personal data are masked."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._texts = FeatureTexts(pipeline)
        self._hashes = {feature.name: feature.hash for feature in pipeline.feature_vector}

    def as_json(self, found: Evidence, made: Reproduced) -> str:
        """One line for programs."""
        told: dict[str, Any] = msgspec.to_builtins(found)
        told["event"] = self._masked(found.event)
        told["decision"] = self._sent(found.decision) if found.decision else None
        told["amendments"] = [self._sent(each) for each in found.amendments]
        if found.policy is not None:
            listed = [(each["field"], entry) for each in told["policy"]["lists"] for entry in each["entries"]]
            listed += [(each["field"], each) for each in told["policy"]["snoozes"]]
            for field, entry in listed:
                entry["value"] = self._masked({field: entry["value"]})[field]
        told["reproduced"] = msgspec.to_builtins(made)
        return json.dumps(told)

    def show(self, found: Evidence, made: Reproduced) -> None:
        """Print the page."""
        console = page()
        console.print(_facts(f"event {found.event_id}", self._masked(found.event).items()))
        console.print(_facts("decision", _decision(found, self._pipeline)))
        console.print(self._features(found, made))
        console.print(Text(in_words(found, made), style="bold green" if made.equal else "bold red"))

    def _masked(self, event: Mapping[str, Any]) -> dict[str, Any]:
        fields = self._pipeline.event.fields
        return {
            name: _MASK if name in fields and fields[name].personal and value is not None else value
            for name, value in event.items()
        }

    def _sent(self, message: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(message)
        return told | {"event": self._masked(told["event"])}

    def _features(self, found: Evidence, made: Reproduced) -> Table:
        title = "features"
        if made.base is not None:
            title = (
                f"features by their part in the margin (exact TreeSHAP); without any it is {made.base:+.4f}"
            )
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("feature", overflow="fold", ratio=2)
        table.add_column("value", justify="right", no_wrap=True)
        table.add_column("log-odds", justify="right", no_wrap=True)
        table.add_column("less | more suspicious", no_wrap=True, width=2 * _BAR + 1)
        table.add_column("in words", ratio=3)
        weights = {reason.feature: reason.contribution for reason in made.reasons}
        largest = max(map(abs, weights.values()), default=1.0)
        rest = sorted(name for name in found.features if name not in weights)
        for name in [*weights, *rest]:
            number = found.features[name]
            value = self._texts.value(name, float("nan") if number is None else number)
            weight = weights.get(name)
            table.add_row(
                Text(name),
                Text("null" if value is None else _printable(plain(value))),
                "" if weight is None else f"{weight:+.4f}",
                "" if weight is None else bar(weight / largest),
                Text(self._words(found, name, number)),
            )
        return table

    def _words(self, found: Evidence, name: str, number: float | None) -> str:
        if self._hashes.get(name) != found.hashes[name]:
            return "not declared any more as it was then"
        return self._texts.text(name, self._texts.value(name, float("nan") if number is None else number))


def in_words(found: Evidence, made: Reproduced) -> str:
    """Whether the score could be reproduced, in a sentence."""
    scored = found.scored
    if made.equal:
        return (
            f"reproduced by {scored.engine}: margin {made.margin!r}, score {made.score!r}: equal to the digit"
        )
    if made.equal is None:
        why = f"{made.why} ({scored.fallback})" if made.why == SCORELESS and scored.fallback else made.why
        return f"not reproduced: {why}"
    return (
        f"NOT EQUAL: reproduced by {scored.engine}: margin {made.margin!r}, score {made.score!r}; recorded "
        f"were margin {scored.margin!r}, score {scored.score!r}"
    )


def bar(share: float) -> Text:
    """A bar from the middle: to the left below zero, to the right above; ``share`` is from -1 to 1."""
    length = round(abs(share) * _BAR)
    left, right = (length, 0) if share < 0 else (0, length)
    return Text.assemble(
        " " * (_BAR - left), ("█" * left, "green"), ("│", "dim"), ("█" * right, "red"), " " * (_BAR - right)
    )


def _facts(title: str, facts: Any) -> Table:
    heading = Text(_printable(title))
    table = Table(title=heading, title_justify="left", title_style="bold", show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, Text("null" if value is None else _printable(str(value))))
    return table


def _printable(text: str) -> str:
    """A producer's text could steer the terminal."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def _decision(found: Evidence, pipeline: Pipeline) -> list[tuple[str, Any]]:
    scored = found.scored
    control = f", let through as one of the control group (policy: {scored.policy_action})"
    facts = [
        ("action", scored.action + (control if scored.action != scored.policy_action else "")),
        ("decided at", scored.decided_at),
        ("model", f"{scored.model} by {scored.engine}" if scored.model else f"none ({scored.fallback})"),
        ("margin", scored.margin),
        ("score", scored.score),
        (
            "matched",
            "\n".join(rule_in_words(found, pipeline, name) for name in scored.rules) or "no rule, no list",
        ),
        ("policy", policy_in_words(found)),
        ("release epoch", found.release_epoch),
        ("propensity", scored.propensity),
        ("source", f"partition {scored.source_partition}, offset {scored.source_offset}, seq {scored.seq}"),
    ]
    if scored.late:
        facts.append(("late", "beyond features.lateness: its windows may have been cut short"))
    if found.decision is None:
        facts.append(("decision", "none was sent: the event is of an imported history"))
    else:
        shadows = msgspec.json.decode(found.decision, type=Decision).shadow
        facts += [(f"shadow {model}", score) for model, score in shadows.items()]
    facts += [("amended to", msgspec.json.decode(each, type=Decision).action) for each in found.amendments]
    facts += [("outcome", f"{o.label}, by {o.source} at {o.observed_at}") for o in found.outcomes]
    return facts
