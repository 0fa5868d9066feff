"""Avro and Protobuf events: the same values as JSON, by confluent-kafka's own serializers."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from feature_store.declaration.event import ProtobufSpec
from feature_store.decode import EventDecoder
from feature_store.errors import BadEventError, ConfigError, SchemaUnavailableError
from streams.formats import AsJson, events_as_json
from streams.kafka.deserializers import avro_values, protobuf_values
from streams.kafka.registry import Framed
from tests.support.kinds import SPEC
from tests.support.payments import pipeline_of, shipped_tree
from tests.support.protobuf import payment_descriptors
from tests.support.registry import Registry, running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 1, 5, 12, 30, 1, 250_000, tzinfo=UTC)
MICROS = 1_767_616_201_250_000
WANTED = ("e1", MICROS, 7_000_000_000, 1_250, 0.5, True, None)
CONTEXT = SerializationContext("events", MessageField.VALUE)
AVRO = {
    "type": "record",
    "name": "Payment",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "card", "type": "long"},
        {
            "name": "amount",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
        },
        {"name": "share", "type": "double"},
        {"name": "online", "type": "boolean"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "not_declared", "type": {"type": "array", "items": "string"}, "default": []},
    ],
}
EVENT: dict[str, Any] = {
    "id": "e1",
    "at": AT,
    "card": 7_000_000_000,
    "amount": Decimal("12.50"),
    "share": 0.5,
    "online": True,
    "note": None,
    "not_declared": ["x"],
}


@pytest.fixture
def registry() -> Any:
    return SchemaRegistryClient.new_client({"url": "mock://"})


@pytest.fixture
def served() -> Iterator[Registry]:
    with running_registry(AVRO) as found:
        yield found


@pytest.fixture
def avro(registry: Any) -> AsJson:
    return AsJson(SPEC, Framed(registry, avro_values(registry), "not_avro", None))


def in_avro(registry: Any, schema: dict[str, Any] = AVRO, **changes: Any) -> bytes:
    raw: bytes = AvroSerializer(registry, json.dumps(schema))(EVENT | changes, CONTEXT)
    return raw


def read(form: AsJson, raw: bytes) -> tuple[Any, ...]:
    return EventDecoder(SPEC).decode(form.one(raw))


def test_an_avro_event_has_the_values_of_its_json(registry: Any, avro: AsJson) -> None:
    assert read(avro, in_avro(registry)) == WANTED
    assert read(avro, in_avro(registry, note="by phone")) == (*WANTED[:-1], "by phone")


def test_fields_that_a_schema_lacks_are_missing(registry: Any, avro: AsJson) -> None:
    fields = [each for each in AVRO["fields"] if each["name"] not in ("note", "amount")]  # type: ignore[index]
    raw = in_avro(registry, {**AVRO, "fields": fields})
    with pytest.raises(BadEventError, match=r"invalid_field: .*amount"):
        read(avro, raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{}", "not_avro"),
        (b"\1\0\0\0\1xxxx", "not_avro"),
        (b"\0\0\0\0\1", "not_avro"),
        (b"\0\0\0\0\1\x02", "not_avro"),
        (b"\0\0\0\0\1" + b"\xff" * 200, "not_avro"),
        (b"\0" * 70_000, "too_large"),
    ],
)
def test_what_is_no_avro_event_is_refused_with_the_reason(
    registry: Any, avro: AsJson, raw: bytes, reason: str
) -> None:
    good = in_avro(registry)
    texts, refused = avro.all([good, raw, None, good])
    assert [text is None for text in texts] == [False, True, True, False]
    assert {place: error.reason for place, error in refused.items()} == {1: reason}


def test_numbers_that_json_does_not_have_are_refused(registry: Any, avro: AsJson) -> None:
    with pytest.raises(BadEventError, match="invalid_field: share: nan"):
        avro.one(in_avro(registry, share=float("nan")))


def test_a_type_inside_itself_is_refused_not_followed(registry: Any, avro: AsJson) -> None:
    schema = {
        "type": "record",
        "name": "Chain",
        "fields": [{"name": "next", "type": ["null", "Chain"]}],
    }
    AvroSerializer(registry, json.dumps(schema))({"next": None}, CONTEXT)
    with pytest.raises(BadEventError, match="unknown_schema: the schema has a type inside itself"):
        avro.one(b"\0\0\0\0\1" + b"\x02" * 60_000)


@pytest.mark.parametrize(
    "items",
    [
        "null",
        {"type": "null"},
        {"type": "record", "name": "Empty", "fields": []},
        {"type": "record", "name": "Nulls", "fields": [{"name": "a", "type": "null"}]},
        {"type": "fixed", "name": "Nothing", "size": 0},
    ],
)
def test_values_of_no_bytes_are_not_counted_out(registry: Any, avro: AsJson, items: Any) -> None:
    fields = [{"name": "many", "type": ["null", {"type": "array", "items": items}]}]
    AvroSerializer(registry, json.dumps({"type": "record", "name": "Bomb", "fields": fields}))(
        {"many": None}, CONTEXT
    )
    a_million = b"\x80\x89\x7a"  # a few bytes more, and it were all the memory
    with pytest.raises(BadEventError, match="unknown_schema: the schema has values that take no bytes"):
        avro.one(b"\0\0\0\0\1\x02" + a_million + b"\0")


@pytest.fixture
def descriptors(tmp_path: Path) -> Path:
    return payment_descriptors(tmp_path)


def in_protobuf(registry: Any, descriptors: Path, **changes: Any) -> bytes:
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(descriptors.read_bytes()).file:
        pool.Add(file)
    kind = GetMessageClass(pool.FindMessageTypeByName("shop.Payment"))
    values = {"id": "e1", "at": AT, "card": 7_000_000_000, "amount": "12.50", "share": 0.5, "online": True}
    raw: bytes = ProtobufSerializer(kind, registry)(kind(**(values | changes)), CONTEXT)
    return raw


def test_a_protobuf_event_has_the_values_of_its_json(registry: Any, descriptors: Path) -> None:
    spec = ProtobufSpec(descriptors=str(descriptors), message="shop.Payment")
    form = AsJson(SPEC, Framed(registry, protobuf_values(registry, spec), "not_protobuf", "serialized"))
    raw = in_protobuf(registry, descriptors)
    assert read(form, raw) == WANTED
    assert read(form, in_protobuf(registry, descriptors, note="x")) == (*WANTED[:-1], "x")
    with pytest.raises(BadEventError, match="not_protobuf"):
        form.one(raw[:-3])
    with pytest.raises(BadEventError, match="not_protobuf: no frame"):
        form.one(b'{"id": "e1"}')


@pytest.mark.parametrize(
    ("message", "said"),
    [("shop.Order", "there is no message 'shop.Order'"), (None, "not a set of descriptors")],
)
def test_descriptors_that_do_not_fit_are_named(
    registry: Any, descriptors: Path, message: str | None, said: str
) -> None:
    if message is None:
        descriptors.write_bytes(b"\xff\xff")
    with pytest.raises(ConfigError, match=said):
        protobuf_values(registry, ProtobufSpec(descriptors=str(descriptors), message=message or "x"))
    with pytest.raises(ConfigError, match="nothing: cannot be read"):
        protobuf_values(registry, ProtobufSpec(descriptors="nothing", message="x"))


def over_http(url: str, folder: Path) -> AsJson:
    tree = shipped_tree()
    tree["event"]["format"] = "avro"
    tree["schema_registry"] = {"url": url, "basic.auth.user.info": "${KAFKA_USER}:${KAFKA_PASSWORD}"}
    form = events_as_json(pipeline_of(tree, folder)[1])
    assert form is not None
    return form


def test_a_registry_that_is_away_makes_events_wait_and_refuses_none(
    served: Registry, registry: Any, tmp_path: Path
) -> None:
    raw, form = in_avro(registry), over_http(served.url, tmp_path)
    for status in (500, 401):
        served.status = status
        with pytest.raises(SchemaUnavailableError, match="not now"):
            form.all([raw])
    served.status = 200
    assert form.all([raw])[1] == {}
    served.status = 500  # a schema that is known is not asked for again
    asked = served.asked
    assert form.all([raw, raw])[1] == {}
    assert served.asked == asked


def test_a_registry_that_cannot_be_reached_makes_events_wait(registry: Any, tmp_path: Path) -> None:
    with pytest.raises(SchemaUnavailableError, match="does not answer"):
        over_http("http://127.0.0.1:1", tmp_path).all([in_avro(registry)])


def test_garbage_does_not_make_it_ask_for_every_message(served: Registry, tmp_path: Path) -> None:
    form = over_http(served.url, tmp_path)
    garbage = b"\0\0\0\0\x63" + b"x" * 20
    _, refused = form.all([garbage] * 50)
    assert {error.reason for error in refused.values()} == {"unknown_schema"}
    assert served.asked == 1


@pytest.mark.parametrize("number", [b"\xff\xff\xff\xff", b"\x80\0\0\0"])
def test_a_number_that_no_schema_can_have_does_not_make_events_wait(
    served: Registry, tmp_path: Path, number: bytes
) -> None:
    _, refused = over_http(served.url, tmp_path).all([b"\0" + number + b"x" * 20])
    assert [error.reason for error in refused.values()] == ["unknown_schema"]


def test_a_format_wants_what_it_needs(tmp_path: Path) -> None:
    tree = shipped_tree()
    tree["event"]["format"] = "avro"
    with pytest.raises(ConfigError, match=r"schema_registry: url: missing; event\.format is avro"):
        pipeline_of(tree, tmp_path)
    tree["schema_registry"] = {"url": "http://127.0.0.1:1", "no.such": "x"}
    with pytest.raises(ConfigError, match=r"schema_registry: .*no\.such"):
        events_as_json(pipeline_of(tree, tmp_path)[1])
    tree["event"]["format"] = "protobuf"
    with pytest.raises(ConfigError, match=r"event.*protobuf and the section protobuf go together"):
        pipeline_of(tree, tmp_path)


def test_without_the_extra_the_cure_is_named(tmp_path: Path) -> None:
    tree = shipped_tree()
    tree["event"]["format"] = "avro"
    tree["schema_registry"] = {"url": "http://127.0.0.1:1"}
    path, _ = pipeline_of(tree, tmp_path)
    program = (
        "import sys; sys.modules['fastavro'] = None\n"
        "from pathlib import Path; from feature_store.declaration.load import load_pipeline\n"
        "from streams.formats import events_as_json\n"
        "events_as_json(load_pipeline(Path(sys.argv[1]), {'SLUICEGATE_CONTROL_KEY': 'k'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert "pip install 'sluicegate[schema-registry]'" in done.stderr.splitlines()[-1]
