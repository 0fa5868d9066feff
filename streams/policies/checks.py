"""What a policy document must be, apart from the SQL of its rules. Everything raises PolicyError."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from feature_store.declaration.base import IDENTIFIER
from feature_store.declaration.decision import check_listed
from feature_store.errors import PolicyError
from feature_store.units import from_text
from streams.policies.actions import ACTION_NAMES
from streams.policies.conditions import check_condition
from streams.policies.lists import FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import EntityList, PolicyDocument, Snooze, Thresholds
    from streams.policies.lists import Entries

_KINDS = ("deny", "allow", "watch")


def check_document(pipeline: Pipeline, document: PolicyDocument) -> None:
    """Names, actions and thresholds of a document; values and times are checked where they are compiled."""
    if document.pipeline != pipeline.name:
        raise PolicyError(f"the policy is for the pipeline {document.pipeline!r}, this is {pipeline.name!r}")
    _one_name_each("rule", [rule.name for rule in document.rules])
    _one_name_each("list", [each.name for each in document.lists])
    for rule in document.rules:
        if rule.action not in ACTION_NAMES:
            raise PolicyError(f"rules.{rule.name}: action {rule.action!r}; {_expected(ACTION_NAMES)}")
        check_condition(f"rules.{rule.name}", rule.when)
    for each in document.lists:
        if each.kind not in _KINDS:
            raise PolicyError(f"list {each.name!r}: kind {each.kind!r}; {_expected(_KINDS)}")
    if document.thresholds is not None:
        _check_thresholds(document.thresholds)
    if document.review_margin is not None and not math.isfinite(document.review_margin):
        raise PolicyError(f"review_margin: {document.review_margin} is not a finite number")


def list_entries(pipeline: Pipeline, each: EntityList) -> Entries:
    """The values of a list and until when each stands; of a value named twice the longer time counts."""
    where = f"list {each.name!r}"
    _check_listed(pipeline, where, each.field, [entry.value for entry in each.entries])
    entries: Entries = {}
    for entry in each.entries:
        until = FOREVER if entry.until is None else _instant(f"{where}: {entry.value!r}", entry.until)
        entries[entry.value] = max(until, entries.get(entry.value, until))
    return entries


def snooze_entries(pipeline: Pipeline, snoozes: Iterable[Snooze]) -> dict[str, tuple[str, Entries]]:
    """The snoozes by the name they have in a decision: ``snooze:<field>`` -> (field, value -> until when)."""
    found: dict[str, tuple[str, Entries]] = {}
    for snooze in snoozes:
        where = f"snooze of {snooze.field} {snooze.value!r}"
        _check_listed(pipeline, where, snooze.field, [snooze.value])
        until = _instant(where, snooze.until)
        entries = found.setdefault(f"snooze:{snooze.field}", (snooze.field, {}))[1]
        entries[snooze.value] = max(until, entries.get(snooze.value, until))
    return found


def _one_name_each(what: str, names: list[str]) -> None:
    for name, times in Counter(names).items():
        if not IDENTIFIER.fullmatch(name):
            raise PolicyError(f"{what} {name!r}: a name has letters, digits and _, no digit first")
        if times > 1:
            raise PolicyError(f"{what} {name!r}: {times} {what}s have this name")


def _check_thresholds(thresholds: Thresholds) -> None:
    named = {"review": thresholds.review, "decline": thresholds.decline}
    for name, value in named.items():
        if value is not None and not 0.0 <= value <= 1.0:
            raise PolicyError(f"thresholds.{name}: {value} is not a probability; expected 0 to 1")
    review, decline = thresholds.review, thresholds.decline
    if review is not None and decline is not None and review > decline:
        raise PolicyError(
            f"thresholds: review at {review} is above decline at {decline}, so nothing would be reviewed; "
            "expected review <= decline"
        )


def _check_listed(pipeline: Pipeline, where: str, field: str, values: list[str | int]) -> None:
    try:
        check_listed(where, pipeline.event.fields, field, values)
    except ValueError as error:
        raise PolicyError(str(error)) from None


def _instant(where: str, text: str) -> int:
    try:
        return from_text(text)
    except ValueError as error:
        raise PolicyError(f"{where}: until {error}; expected a time such as 2026-01-31T12:00:00Z") from None


def _expected(words: Iterable[str]) -> str:
    return f"expected one of {', '.join(words)}"
