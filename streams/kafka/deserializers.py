"""confluent-kafka's deserializers, giving plain values: needs the extra ``schema-registry``."""

from __future__ import annotations

import json
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from feature_store.errors import BadEventError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

    from feature_store.declaration.event import ProtobufSpec

_RECORDS = ("record", "error", "request")
"""What the Avro reader reads as a record."""
_WRAPPED = "google.protobuf."
_TIMESTAMP = "google.protobuf.Timestamp"
_DECIMAL = "confluent.type.Decimal"


def avro_values(client: Any) -> Callable[[bytes], dict[str, Any]]:
    """Avro, read by the schema that it was written with."""
    deserialize = AvroDeserializer(client)
    sound: set[bytes] = set()

    def values(raw: bytes) -> dict[str, Any]:
        number = raw[1:5]
        if number not in sound:
            _refuse_unbounded(client.get_schema(int.from_bytes(number)).schema_str or "")
            sound.add(number)
        found = deserialize(raw)
        if not isinstance(found, dict):
            raise BadEventError("not_avro", f"a record is expected, not {type(found).__name__}")
        return found

    return values


def _refuse_unbounded(schema: str) -> None:
    """The Avro reader has no limit on depth or number: a few bytes of a type in itself would exhaust the
    stack, a few that announce ever so many values of no bytes the memory.
    """
    tree = json.loads(schema)
    if any(_recursive(tree, ())):
        raise BadEventError("unknown_schema", "the schema has a type inside itself, which is not read")
    if any(_weightless(tree)):
        raise BadEventError("unknown_schema", "the schema has values that take no bytes, which are not read")


def _weightless(node: Any) -> Iterator[bool]:
    """Whether it is a record, a fixed or an array's item without a byte; a field or choice may be null."""
    if isinstance(node, list):
        for each in node:
            yield from _weightless(each)
    elif isinstance(node, dict):
        fields = [field["type"] for field in node.get("fields", ())]
        match node.get("type"):
            case "record" | "error" | "request":
                yield all(map(_is_null, fields))
            case "fixed":
                yield not node.get("size")
            case "array":
                yield _is_null(node.get("items"))
        for each in (node.get("type"), node.get("items"), node.get("values"), *fields):
            yield from _weightless(each)


def _is_null(node: Any) -> bool:
    return node == "null" or (isinstance(node, dict) and _is_null(node.get("type")))


def _recursive(node: Any, within: tuple[str, ...]) -> Iterator[bool]:
    if isinstance(node, str):
        yield node.rpartition(".")[2] in within
    elif isinstance(node, list):
        for each in node:
            yield from _recursive(each, within)
    elif isinstance(node, dict):
        inner = (*within, str(node["name"]).rpartition(".")[2]) if node.get("type") in _RECORDS else within
        for each in (node.get("type"), node.get("items"), node.get("values")):
            if each is not None:
                yield from _recursive(each, within)
        for field in node.get("fields", ()):
            yield from _recursive(field["type"], inner)


def protobuf_values(client: Any, spec: ProtobufSpec) -> Callable[[bytes], dict[str, Any]]:
    """Protobuf, read as the message that the pipeline names. Raises ConfigError where there is none."""
    deserialize = ProtobufDeserializer(_message_class(spec), {}, client)

    def values(raw: bytes) -> dict[str, Any]:
        message: Any = deserialize(raw)
        return {field.name: _value(message, field) for field in message.DESCRIPTOR.fields}

    return values


def _message_class(spec: ProtobufSpec) -> Any:
    where = f"event.protobuf: {spec.descriptors}"
    try:
        files = FileDescriptorSet.FromString(Path(spec.descriptors).read_bytes())
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise ConfigError(
            f"{where}: not a set of descriptors; write it with protoc --include_imports --descriptor_set_out"
        ) from error
    pool = DescriptorPool()
    try:
        for file in files.file:
            pool.Add(file)
        return GetMessageClass(pool.FindMessageTypeByName(spec.message))
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{where}: there is no message {spec.message!r}: {error}") from error


def _value(message: Message, field: FieldDescriptor) -> Any:
    """A field as a plain value; None where it is not set and can tell so."""
    if field.has_presence and not message.HasField(field.name):
        return None
    value = getattr(message, field.name)
    if field.is_repeated:
        return None  # no declared type holds several
    if field.message_type is not None:
        return _well_known(field.message_type.full_name, value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else str(value)
    return value


def _well_known(name: str, value: Any) -> Any:
    if name == _TIMESTAMP:
        return value.ToDatetime(tzinfo=UTC)
    if name == _DECIMAL:
        return Decimal(int.from_bytes(value.value, signed=True)).scaleb(-value.scale)
    if name.startswith(_WRAPPED) and name.endswith("Value") and hasattr(value, "value"):
        return value.value
    return None
