"""Personal data: who sees it, and what the others see instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from console.web.visitor import Role, Visitor
from feature_store.declaration.aggregates import Aggregate
from feature_store.declaration.features import code_name, fields_in

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

HIDDEN = "•••"
"""Stands for a value that is there."""

_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w.])\d[\w.]*")
"""A text or a number in SQL, no part of a name."""

_SHOW_THE_VALUE = {Aggregate.LAST, Aggregate.MIN, Aggregate.MAX, Aggregate.SUM, Aggregate.MEAN}
"""Of an entity with one event, all of them are its value."""


def seen(pipeline: Pipeline, visitor: Visitor, fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` (event fields or features, by name) as ``visitor`` may see them; null stays null."""
    if sees_personal(visitor):
        return fields
    hidden = personal(pipeline)
    return {name: HIDDEN if name in hidden and value is not None else value for name, value in fields.items()}


def seen_rule(pipeline: Pipeline, visitor: Visitor, told: str) -> str:
    """A rule as ``visitor`` may see it: what it compares a personal field with is hidden."""
    if sees_personal(visitor) or not fields_in(told, personal(pipeline)):
        return told
    return _LITERAL.sub(HIDDEN, told)


def sees_personal(visitor: Visitor) -> bool:
    """Whether the visitor's role includes looking at personal data."""
    return visitor.may(Role.ANALYST)


def personal(pipeline: Pipeline) -> frozenset[str]:
    """The fields declared personal, and the features whose value is one of them or computed from it alone."""
    fields = {name for name, spec in pipeline.event.fields.items() if spec.personal}
    if not fields:
        return frozenset()
    rows = {name for name, sql in pipeline.features.rows.items() if fields_in(sql, fields)}
    codes = {code_name(name) for name in pipeline.features.categories if name in fields}
    windows = {
        feature.name
        for feature in pipeline.features.window_features()
        if feature.column in fields and feature.aggregate in _SHOW_THE_VALUE
    }
    return frozenset(fields | rows | codes | windows)
