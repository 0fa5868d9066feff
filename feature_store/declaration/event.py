"""The event: its fields, and how they stand in messages and in files."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator

from feature_store.declaration.base import Declared, Identifier
from feature_store.units import Duration

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

_DECIMAL = re.compile(r"^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$")
_MAX_DECIMAL_DIGITS = 18  # what a 64-bit integer of minor units holds for certain


class Kind(StrEnum):
    """The types a field can have."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"


class FieldType(Declared):
    """A field's type; for decimals ``precision`` digits in all, ``scale`` of them behind the point."""

    kind: Kind
    precision: int = 0
    scale: int = 0

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if found := _DECIMAL.match(value.strip()):
            precision, scale = int(found[1]), int(found[2])
            if not 0 <= scale <= precision <= _MAX_DECIMAL_DIGITS or precision == 0:
                raise ValueError(f"{value}: 1 to {_MAX_DECIMAL_DIGITS} digits, and no more behind the point")
            return {"kind": Kind.DECIMAL, "precision": precision, "scale": scale}
        if value in {kind.value for kind in Kind if kind is not Kind.DECIMAL}:
            return {"kind": value}
        if value.startswith("decimal("):  # {type: decimal(10,2)}: in braces YAML ends a value at a comma
            raise ValueError(f'{value!r} is cut off; in braces, quote the type: {{type: "decimal(10,2)"}}')
        raise ValueError(
            f"{value!r} is not a type; expected string, integer, decimal(p,s), float, boolean or timestamp"
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """As it is written: one word, or decimal(p,s)."""
        del schema, handler
        words = [kind.value for kind in Kind if kind is not Kind.DECIMAL]
        return {
            "type": "string",
            "description": "string, integer, decimal(p,s), float, boolean or timestamp",
            "pattern": rf"^({'|'.join(words)}|decimal\(\s*\d+\s*,\s*\d+\s*\))$",
            "examples": [*words, "decimal(12,2)"],
        }

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL:
            return f"decimal({self.precision},{self.scale})"
        return self.kind.value


def _shorthand(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class FieldSpec(Declared):
    """One field of the event. Written as just its type, it is required and nothing else."""

    type: FieldType
    required: bool = Field(True, description="an event without it is a dead letter")
    personal: bool = Field(False, description="personal data: masked in logs and console")
    passthrough: bool = Field(False, description="copied into the decision")


class LabelColumn(Declared):
    """The truth as a file of past events holds it."""

    column: str = Field(description="true or 1: fraud; false, 0 or nothing: no outcome")
    delay: Duration = Field(description="how long after the event the label became known")
    source: str = Field("history", description="the outcome source it counts as")


class FileMapping(Declared):
    """How a Parquet or CSV file of past events maps onto the declared fields."""

    columns: dict[Identifier, str] = Field(
        default_factory=dict, description="field -> column; a field not named keeps its own name"
    )
    label: LabelColumn | None = Field(default=None, description="without it a replay sends no outcomes")


class ProtobufSpec(Declared):
    """Which Protobuf message an event is."""

    descriptors: str = Field(
        description="file that protoc --include_imports --descriptor_set_out writes; beside no path, in the "
        "working directory"
    )
    message: str = Field(description="full name of the message, with its package")


class EventSpec(Declared):
    """What an event is."""

    format: Literal["json", "avro", "protobuf"] = Field(
        default="json",
        description="json; avro or protobuf: framed by a schema registry's serializers, see schema_registry",
    )
    protobuf: ProtobufSpec | None = Field(default=None, description="for format protobuf")
    id: Identifier = Field(description="the field that identifies an event")
    time: Identifier = Field(description="the field with the event's own time")
    key: Identifier = Field(description="the field that Kafka partitions by")
    fields: dict[
        Identifier,
        Annotated[FieldSpec, BeforeValidator(_shorthand, json_schema_input_type=FieldType | FieldSpec)],
    ] = Field(
        description="field -> its type, or the type with more about it; what is not declared is ignored"
    )
    future_tolerance: Duration = Field(
        default=300_000_000, description="an event further ahead of its arrival is a dead letter"
    )
    max_bytes: int = Field(
        default=65_536,
        gt=0,
        le=2_097_152,  # so that the decision and the log row of one event, escaped, pass as one message each
        description="a larger message is a dead letter",
    )
    file: FileMapping = Field(
        default=FileMapping(), description="used by replay, backfill, features compute and features check"
    )

    @model_validator(mode="after")
    def _roles_fit(self) -> Self:
        for role in ("id", "time", "key"):
            name = getattr(self, role)
            if name not in self.fields:
                raise ValueError(f"{role}: {name!r} is not one of the declared fields")
            if not self.fields[name].required:
                raise ValueError(f"{role}: {name!r} must be a required field")
        if self.fields[self.time].type.kind is not Kind.TIMESTAMP:
            raise ValueError(f"time: {self.time!r} must have the type timestamp")
        for role in ("id", "key"):
            if self.fields[getattr(self, role)].type.kind not in {Kind.STRING, Kind.INTEGER}:
                raise ValueError(f"{role}: {getattr(self, role)!r} must be a string or an integer")
        if (self.format == "protobuf") != (self.protobuf is not None):
            raise ValueError("format: protobuf and the section protobuf go together")
        for name in self.file.columns:
            if name not in self.fields:
                raise ValueError(f"file.columns: {name!r} is not one of the declared fields")
        return self

    def column_of(self, field: str) -> str:
        """The file column that holds ``field``."""
        return self.file.columns.get(field, field)

    @property
    def passthrough(self) -> tuple[str, ...]:
        """The fields that a decision carries."""
        return tuple(name for name, spec in self.fields.items() if spec.passthrough)
