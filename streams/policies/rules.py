"""Rules: named SQL conditions, each with the least strong action that it allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from feature_store.expressions import Expression, RowQuery
from feature_store.log import seen_schema
from streams.policies.actions import strength_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Flags
    from streams.models.engine import Vector
    from streams.policies.actions import Mask, Strengths

_WORD = re.compile(r"\w+")


class AnyRule(Protocol):
    """A rule of the pipeline file or of a policy document."""

    @property
    def name(self) -> str:
        """Stands in the decision."""

    @property
    def when(self) -> str:
        """The condition."""

    @property
    def action(self) -> str:
        """The least strong action that it allows."""


def scored_schema(pipeline: Pipeline) -> pa.Schema:
    """What a rule of the policy may speak of: fields, features, ``score`` and ``margin``."""
    found = [pa.field("score", pa.float64()), pa.field("margin", pa.float64())]
    return pa.schema([*seen_schema(pipeline), *found])


class RuleSet:
    """Rules over batches of one schema, as one query over the columns that they mention."""

    def __init__(self, schema: pa.Schema, rules: Sequence[AnyRule], where: str) -> None:
        """Check and plan the rules, which stand under the key ``where``.

        Raises ConfigError naming the first unsound one.
        """
        words = {word for rule in rules for word in _WORD.findall(rule.when.lower())}
        self._columns = [name for name in schema.names if name.lower() in words] or schema.names[:1]
        self._query = RowQuery(
            pa.schema([schema.field(name) for name in self._columns]),
            [Expression(rule.name, rule.when, f"{where}.{rule.name}") for rule in rules],
        )
        self.names = [rule.name for rule in rules]
        self._strengths = np.array([strength_of(rule.action) for rule in rules], np.int8)

    def flags(self, seen: pa.RecordBatch, scores: Vector, margins: Vector) -> Flags:
        """One boolean column per rule, in order; null is false. NaN in scores and margins is null."""
        beside = {"score": scores, "margin": margins}
        arrays = [
            pa.array(beside[name], from_pandas=True) if name in beside else seen.column(name)
            for name in self._columns
        ]
        return self._query.flags(pa.record_batch(arrays, names=self._columns))

    def matched(self, flags: Flags) -> dict[str, Mask]:
        """Rule -> the events it matches, of those that match any, in order."""
        columns = zip(self.names, flags.T, strict=True)
        return {name: column for name, column in columns if column.any()}

    def strongest(self, flags: Flags) -> Strengths:
        """The strongest action among the rules that match each event; approve where none does."""
        strengths = np.zeros(len(flags), np.int8)
        for column, strength in zip(flags.T, self._strengths, strict=True):
            np.maximum(strengths, column * strength, out=strengths)
        return strengths
