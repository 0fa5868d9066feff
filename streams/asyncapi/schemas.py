"""JSON Schemas of messages: of an event as it is declared, and of every struct of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.declaration.event import Kind
from feature_store.log import LogMeta
from streams.messages import (
    Alert,
    Decision,
    Manifest,
    Outcome,
    OutcomeDelta,
    PolicyDocument,
    Release,
)
from streams.messages.explanation import Explanation

if TYPE_CHECKING:
    from feature_store.declaration.event import EventSpec, FieldType

Schema = dict[str, Any]

_STRUCTS = (
    Decision, Explanation, Outcome, OutcomeDelta, Alert, Manifest, Release, PolicyDocument, LogMeta,
)  # fmt: skip
_KINDS: dict[Kind, Schema] = {
    Kind.STRING: {"type": "string"},
    Kind.INTEGER: {"type": "integer"},
    Kind.FLOAT: {"type": "number"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.TIMESTAMP: {
        "description": "RFC 3339 with a UTC offset, or milliseconds since 1970",
        "anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}],
    },
}


def schemas(event: EventSpec) -> dict[str, Schema]:
    """Every schema by its name; `Event` is the pipeline's own."""
    _, ours = msgspec.json.schema_components(_STRUCTS, ref_template="#/components/schemas/{name}")
    return {"Event": event_schema(event), **{name: _portable(ours[name]) for name in sorted(ours)}}


def event_schema(event: EventSpec) -> Schema:
    """What a producer has to send, or reads from its schema registry."""
    fields = {}
    for name, spec in event.fields.items():
        fields[name] = _field(spec.type)
        if not spec.required:
            fields[name] = {"anyOf": [fields[name], {"type": "null"}]}
        if spec.personal:
            fields[name]["x-personal"] = True
    return {
        "title": "Event",
        "description": "As declared under `event` in the pipeline file. Other fields are ignored.",
        "type": "object",
        "properties": fields,
        "required": [name for name, spec in event.fields.items() if spec.required],
    }


def _field(kind: FieldType) -> Schema:
    if kind.kind is not Kind.DECIMAL:
        return dict(_KINDS[kind.kind])
    digits = f"at most {kind.precision} digits, {kind.scale} of them behind the point"
    return {"description": digits, "anyOf": [{"type": "number"}, {"type": "string"}]}


def _portable(schema: Any) -> Any:
    r"""Without what JSON Schema does not know: Python's ``\Z`` in patterns, line breaks of docstrings."""
    if isinstance(schema, list):
        return [_portable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _portable(each) for name, each in schema.items()}
    if isinstance(pattern := made.get("pattern"), str):
        made["pattern"] = pattern.replace(r"\Z", "$")
    if isinstance(told := made.get("description"), str):
        made["description"] = "\n".join(line.strip() for line in told.splitlines())
    return made
