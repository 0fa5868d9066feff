"""Events: whatever is sent is an event or a dead letter, and a batch says of each what one alone would."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from feature_store.columns import columns_from_log, columns_of
from feature_store.declaration.event import EventSpec, ProtobufSpec
from feature_store.decode import EventDecoder
from feature_store.decode_batch import BatchDecoder
from feature_store.errors import BadEventError
from streams.formats import AsJson
from streams.kafka.deserializers import avro_values, protobuf_values
from streams.kafka.registry import Framed
from tests.fuzz.target import Ready, Target, pieces
from tests.support.hostile import HOSTILE_VALUES, WHOLE
from tests.support.kinds import SPEC as PAYMENTS
from tests.support.protobuf import payment_descriptors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_OPTIONAL = {
    "share": "decimal(3,3)", "coins": "decimal(4,0)", "seen": "timestamp", "note": "string", "ratio": "float",
    "flag": "boolean", "count": "integer",
}  # fmt: skip
SPEC = EventSpec.model_validate(
    {
        "id": "id",
        "time": "at",
        "key": "who",
        "max_bytes": 8_000,
        "fields": {
            "id": "string",
            "at": "timestamp",
            "who": "integer",
            "money": "decimal(6,2)",
            **{name: {"type": kind, "required": False} for name, kind in _OPTIONAL.items()},
        },
    }
)
_SOUND = {"id": "a", "at": "2026-01-05T00:00:00Z", "who": 7, "money": 12.5}
_FULL = _SOUND | {
    "share": "0.125", "coins": 12, "seen": 1_767_571_200_000, "note": "ä\n", "ratio": -1e-3, "flag": True,
    "count": -(2**62),
}  # fmt: skip
_CONTEXT = SerializationContext("events", MessageField.VALUE)
_MOST_LONG = 200


def _from_json(_: Path) -> Ready:
    one, many = EventDecoder(SPEC), BatchDecoder(SPEC)
    sound = msgspec.json.encode(_SOUND)

    def check(data: bytes) -> None:
        raws = [data, sound, *data.split(b"\n\n", 2)]
        values, places, refused = [], [], []
        for place, raw in enumerate(raws):
            try:
                values.append(one.decode(raw))
                places.append(place)
            except BadEventError as error:
                refused.append((place, error.reason, error.detail))
        found = many.decode(raws)
        assert found.places.tolist() == places
        assert [(place, error.reason, error.detail) for place, error in found.refused] == refused
        assert columns_from_log(SPEC, found.events) == columns_of(SPEC, values)

    odd = [each.encode("utf-8", "surrogatepass") for each in HOSTILE_VALUES if len(each) < _MOST_LONG]
    seeds = [sound, msgspec.json.encode(_FULL), msgspec.json.encode(_FULL | dict.fromkeys(_OPTIONAL))]
    seeds += [each for each in WHOLE if each and len(each) < _MOST_LONG]
    seeds += [
        sound[:-1] + b',"%s":%s}' % (name.encode(), piece) for name in ("seen", "share") for piece in odd
    ]
    return Ready(check, seeds, [*odd, *(f'"{name}":'.encode() for name in SPEC.fields)])


_PAYMENT = {
    "id": "e1", "at": datetime(2026, 1, 5, 12, 30, tzinfo=UTC), "card": 7, "amount": Decimal("12.50"),
    "share": 0.5, "online": True, "note": None,
}  # fmt: skip
_AVRO_FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "card", "type": "long"},
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
    {"name": "share", "type": "double"},
    {"name": "online", "type": "boolean"},
    {"name": "note", "type": ["null", "string"], "default": None},
]
_MORE_AVRO: list[dict[str, Any]] = [
    {"name": "many", "type": {"type": "array", "items": "string"}, "default": []},
    {"name": "named", "type": {"type": "map", "values": ["null", "long"]}, "default": {}},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}, "default": "A"},
    {"name": "fixed", "type": ["null", {"type": "fixed", "name": "F", "size": 4}], "default": None},
    {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
    {"name": "uuid", "type": ["null", {"type": "string", "logicalType": "uuid"}], "default": None},
    {"name": "clock", "type": ["null", {"type": "long", "logicalType": "time-micros"}], "default": None},
]


def _record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "Payment", "fields": list(fields)}


_AVRO = [
    _record(*_AVRO_FIELDS),
    _record(*_AVRO_FIELDS, *_MORE_AVRO),
    # Every declared field in another type than it is declared with.
    _record(
        {"name": "id", "type": ["null", "bytes", "string"]},
        {"name": "at", "type": {"type": "int", "logicalType": "date"}},
        {"name": "card", "type": {"type": "array", "items": "double"}},
        {"name": "amount", "type": {"type": "map", "values": "double"}},
        {"name": "share", "type": ["float", {"type": "string", "logicalType": "uuid"}]},
        {"name": "online", "type": ["boolean", {"type": "long", "logicalType": "time-micros"}]},
        {"name": "note", "type": ["null", _record(*_AVRO_FIELDS) | {"name": "Inner"}]},
    ),
]


def _reading(form: AsJson) -> Callable[[bytes], None]:
    decoder = EventDecoder(PAYMENTS)

    def check(data: bytes) -> None:
        try:
            decoder.decode(form.one(data))
        except BadEventError:
            return

    return check


def _from_avro(_: Path) -> Ready:
    registry: Any = SchemaRegistryClient.new_client({"url": "mock://"})
    made: list[bytes] = [AvroSerializer(registry, json.dumps(each))(_PAYMENT, _CONTEXT) for each in _AVRO[:2]]
    number = registry.register_schema("other", Schema(json.dumps(_AVRO[2]), "AVRO"))
    made.append(b"\0" + number.to_bytes(4) + made[0][5:])
    made.append(b"\0" + number.to_bytes(4) + b"\0\2\2\1" * 12)
    known: Any = _Known(registry)
    form = AsJson(PAYMENTS, Framed(known, avro_values(known), "not_avro", None))
    return Ready(_reading(form), made)


class _Known:
    """A registry that says of other numbers what a real one says."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def get_schema(self, number: int, **more: Any) -> Schema:
        try:
            found: Schema = self._registry.get_schema(number, **more)
        except SchemaRegistryError:
            raise SchemaRegistryError(404, 40403, "no such schema") from None
        return found


class _Anything:
    """A registry that has the one schema that it was told."""

    def __init__(self, schema: str) -> None:
        self._schema = Schema(schema, "AVRO")

    def get_schema(self, *_: Any, **__: Any) -> Schema:
        return self._schema


def _from_any_avro(_: Path) -> Ready:
    """Schemas are what the registry says, and anybody may be allowed to register one there."""

    def check(data: bytes) -> None:
        schema, body = pieces(data, 2)
        client: Any = _Anything(schema.decode(errors="replace"))
        _reading(AsJson(PAYMENTS, Framed(client, avro_values(client), "not_avro", None)))(
            b"\0\0\0\0\1" + body
        )

    registry: Any = SchemaRegistryClient.new_client({"url": "mock://"})
    body = AvroSerializer(registry, json.dumps(_AVRO[1]))(_PAYMENT, _CONTEXT)[5:]
    seeds = [json.dumps(each).encode() + b"\n--\n" + body for each in _AVRO]
    words = [
        "record",
        "fields",
        "array",
        "items",
        "map",
        "values",
        "fixed",
        "size",
        "enum",
        "null",
        "Payment",
    ]
    return Ready(check, seeds, [f'"{word}"'.encode() for word in words])


def _from_protobuf(folder: Path) -> Ready:
    registry: Any = SchemaRegistryClient.new_client({"url": "mock://"})
    path = payment_descriptors(folder)
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(path.read_bytes()).file:
        pool.Add(file)
    kind: Any = GetMessageClass(pool.FindMessageTypeByName("shop.Payment"))
    message = kind(id="e1", card=7, amount="12.50", share=0.5, online=True, note="by phone")
    message.at.FromDatetime(_PAYMENT["at"])
    raw = ProtobufSerializer(kind, registry, {"use.deprecated.format": False})(message, _CONTEXT)
    values = protobuf_values(registry, ProtobufSpec(descriptors=str(path), message="shop.Payment"))
    form = AsJson(PAYMENTS, Framed(_Known(registry), values, "not_protobuf", "serialized"))
    return Ready(_reading(form), [raw, raw[:6], raw + raw[6:]])


TARGETS = [
    Target("event-json", "events in JSON, one and many at once", _from_json),
    Target("event-avro", "events in Avro, of known schemas", _from_avro),
    Target("event-avro-schema", "events in Avro, of any schema", _from_any_avro),
    Target("event-protobuf", "events in Protobuf", _from_protobuf),
]
