"""The ``features`` section: row expressions, categories and windowed aggregates."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from feature_store.declaration.base import Declared, Identifier, Sql
from feature_store.declaration.texts import BusinessText
from feature_store.declaration.windows import WindowSpec
from feature_store.units import Duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.aggregates import Condition, WindowFeature

LatePolicy = Literal["score", "amend", "dead_letter"]
Dtype = Literal["float64", "category"]


@dataclass(frozen=True)
class Feature:
    """A column of the feature vector: its name, the hash of everything that defines it, and its kind.

    A ``category`` is a whole number from 0 that stands for a value; its order means nothing.
    """

    name: str
    hash: str
    dtype: Dtype = "float64"


Categories = Annotated[tuple[str, ...], Field(min_length=1, max_length=1_000)]


class FeatureSpec(Declared):
    """All declared features of a pipeline."""

    rows: dict[Identifier, Sql] = Field(
        default_factory=dict, description="name -> SQL expression over the event's own fields"
    )
    categories: dict[Identifier, Categories] = Field(
        default_factory=dict,
        description="text field -> its values; the feature FIELD_code is the value's number from 0, "
        "null for any other value. New values go to the end",
    )
    windows: tuple[WindowSpec, ...] = Field(default=(), description="aggregates over sliding windows")
    staged: bool = Field(
        default=False,
        description="true: entities that the partition key does not determine have stages of their own, so "
        "that any number of scorers is exact; false: one scorer must hold all partitions",
    )
    lateness: Duration = Field(
        default=3_600_000_000,
        description="an event may be this far behind the newest of its partition; state is kept for the "
        "longest window and this",
    )
    late: LatePolicy = Field(
        default="score",
        description="what becomes of an event that is later: score (and flag the decision: its windows may "
        "be cut short), amend (the same, and the keeper sends an amended decision where whole windows give "
        "other features) or dead_letter",
    )
    texts: dict[Identifier, BusinessText] = Field(
        default_factory=dict,
        description="feature -> what its value means to a business reader, with {value}, {value:.0f} or "
        "{value:yes/no} in it; without one, reasons are told in the words of its definition",
    )

    def window_features(self) -> tuple[WindowFeature, ...]:
        """Every windowed feature, in declared order."""
        return tuple(feature for spec in self.windows for feature in spec.features())

    def conditions(self) -> tuple[Condition, ...]:
        """Every condition of a windowed feature, once, in declared order."""
        return tuple(dict.fromkeys(f.condition for f in self.window_features() if f.condition is not None))

    def ordered(self, field_types: dict[str, str], time: str) -> tuple[Feature, ...]:
        """The feature vector: row expressions, categories, windows, each as declared.

        A hash covers the definition and the types of the fields it uses, ``time`` (the event's time field)
        among them, so a feature whose meaning changed is another feature.
        """
        rows = [
            Feature(name, _digest({"sql": sql, "fields": _mentioned(sql, field_types)}))
            for name, sql in self.rows.items()
        ]
        categories = [
            Feature(code_name(field), _digest({"field": field, "values": values}), "category")
            for field, values in self.categories.items()
        ]
        windows = [
            Feature(feature.name, hash_of(feature, field_types, time)) for feature in self.window_features()
        ]
        return (*rows, *categories, *windows)


def hash_of(feature: WindowFeature, field_types: dict[str, str], time: str) -> str:
    """What stands for everything that a windowed feature's value depends on."""
    return _digest(_definition(feature, field_types, time))


def code_name(field: str) -> str:
    """The name of the feature that holds a category's number."""
    return f"{field}_code"


def fields_in(sql: str, fields: Iterable[str]) -> list[str]:
    """The fields that an expression mentions."""
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    return [name for name in fields if name.lower() in words]


def _definition(feature: WindowFeature, field_types: dict[str, str], time: str) -> dict[str, Any]:
    condition = _mentioned(feature.condition.sql, field_types) if feature.condition else {}
    return feature.definition(time, field_types, condition)


def _mentioned(sql: str, field_types: dict[str, str]) -> dict[str, str]:
    return {name: field_types[name] for name in fields_in(sql, field_types)}


def _digest(definition: dict[str, Any]) -> str:
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
