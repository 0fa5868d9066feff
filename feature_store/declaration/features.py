"""Features: row expressions and windowed aggregates, with names and hashes made from the definition."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from feature_store.declaration.base import Declared, Identifier, Sql
from feature_store.units import Duration, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator


class Aggregate(StrEnum):
    """What a window computes."""

    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"


@dataclass(frozen=True)
class WindowFeature:
    """One windowed feature: ``aggregate(column)`` over ``(t - delay - window, t - delay]``."""

    entity: tuple[str, ...]
    aggregate: Aggregate
    column: str | None
    window: int
    delay: int
    include_current: bool

    @property
    def name(self) -> str:
        """The feature's name, made from the definition: ``customer_id_mean_amount_7d``."""
        parts = [*self.entity, self.aggregate.value]
        if self.column is not None:
            parts.append(self.column)
        parts.append(format_duration(self.window))
        if self.delay:
            parts.append(f"delay_{format_duration(self.delay)}")
        if self.include_current:
            parts.append("incl")
        return "_".join(parts)


@dataclass(frozen=True)
class Feature:
    """A column of the feature vector: its name and the hash of everything that defines it."""

    name: str
    hash: str


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    tuple[Identifier, ...],
    BeforeValidator(_one_or_more, json_schema_input_type=str | tuple[Identifier, ...]),
]


class WindowSpec(Declared):
    """Aggregates of one entity over sliding windows."""

    entity: Names = Field(description="the field, or fields, that are counted for")
    windows: tuple[Duration, ...] = Field(min_length=1, description="lengths, each a feature per aggregate")
    count: bool = Field(default=False, description="how many events")
    sum: Names = Field(default=(), description="the number fields to add up; 0 where there is no event")
    mean: Names = Field(default=(), description="the number fields to average; null where there is none")
    delay: Duration = Field(default=0, description="the window ends this long before the event")
    include_current: bool = Field(default=False, description="whether the event itself counts")

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not (self.count or self.sum or self.mean):
            raise ValueError("declares no aggregate; add count: true, sum: [field] or mean: [field]")
        if 0 in self.windows:
            raise ValueError("windows: a window must be longer than zero")
        if self.delay and self.include_current:
            raise ValueError("a delayed window cannot include the current event")
        return self

    def features(self) -> Iterator[WindowFeature]:
        """Every feature this declares, window by window."""
        wanted: list[tuple[Aggregate, str | None]] = []
        if self.count:
            wanted.append((Aggregate.COUNT, None))
        wanted += [(Aggregate.SUM, column) for column in self.sum]
        wanted += [(Aggregate.MEAN, column) for column in self.mean]
        for window in self.windows:
            for aggregate, column in wanted:
                yield WindowFeature(self.entity, aggregate, column, window, self.delay, self.include_current)


class FeatureSpec(Declared):
    """All declared features of a pipeline."""

    rows: dict[Identifier, Sql] = Field(
        default_factory=dict, description="name -> SQL expression over the event's own fields"
    )
    windows: tuple[WindowSpec, ...] = Field(default=(), description="aggregates over sliding windows")
    lateness: Duration = Field(
        default=3_600_000_000, description="state is kept for this long beyond the longest window"
    )

    def window_features(self) -> tuple[WindowFeature, ...]:
        """Every windowed feature, in declared order."""
        return tuple(feature for spec in self.windows for feature in spec.features())

    def ordered(self, field_types: dict[str, str]) -> tuple[Feature, ...]:
        """The feature vector: row expressions first, then windows, as declared.

        A hash covers the definition and the types of the fields it uses, so a feature whose meaning changed
        is another feature.
        """
        rows = [
            Feature(name, _digest({"sql": sql, "fields": _mentioned(sql, field_types)}))
            for name, sql in self.rows.items()
        ]
        windows = [
            Feature(
                feature.name,
                _digest(
                    {
                        "entity": feature.entity,
                        "aggregate": feature.aggregate.value,
                        "column": feature.column,
                        "type": field_types.get(feature.column or "", ""),
                        "window": feature.window,
                        "delay": feature.delay,
                        "include_current": feature.include_current,
                    }
                ),
            )
            for feature in self.window_features()
        ]
        return (*rows, *windows)


def _mentioned(sql: str, field_types: dict[str, str]) -> dict[str, str]:
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    return {name: kind for name, kind in field_types.items() if name.lower() in words}


def _digest(definition: dict[str, Any]) -> str:
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
