"""A real scorer on Avro events, with a schema registry that comes late."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.support.kafka import feed_of, read_all, read_until
from tests.support.payments import event, private_pipeline, shipped_tree
from tests.support.processes import scorer
from tests.support.registry import running_registry

if TYPE_CHECKING:
    from pathlib import Path

    from streams.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]

SCHEMA = {
    "type": "record",
    "name": "Payment",
    "fields": [{"name": name, "type": "double" if name == "amount" else "string"} for name in event(0)],
}


def in_avro(number: int) -> tuple[bytes, bytes]:
    """Key and value on Kafka; the schema's number is 1."""
    serialize = AvroSerializer(SchemaRegistryClient.new_client({"url": "mock://"}), json.dumps(SCHEMA))
    values = event(number)
    raw: bytes = serialize(values, SerializationContext("events", MessageField.VALUE))
    return str(values["customer_id"]).encode(), raw


def test_events_wait_for_the_registry_and_garbage_alone_is_refused(
    apache_kafka: Broker, unique: str, tmp_path: Path
) -> None:
    total = 50
    declared: dict[str, Any] = shipped_tree()["event"] | {"format": "avro"}
    with running_registry(SCHEMA) as registry:
        registry.status = 503
        config, pipeline = private_pipeline(
            tmp_path, unique, event=declared, schema_registry={"url": registry.url}
        )
        feed = feed_of(pipeline, apache_kafka.bootstrap)
        feed.send([*map(in_avro, range(total)), (b"c1", b"no frame"), (b"c1", b"\0\0\0\0\x09 no schema")])
        with scorer(config, apache_kafka.bootstrap) as process:
            topics = pipeline.topics
            alerts = read_until(apache_kafka.bootstrap, [topics.alerts], lambda seen: len(seen) >= 1)
            assert msgspec.json.decode(alerts[0].value)["kind"] == "schema_registry_away"
            assert read_all(apache_kafka.bootstrap, topics.decisions) == []
            registry.status = 200
            decided = read_until(apache_kafka.bootstrap, [topics.decisions], lambda seen: len(seen) >= total)
            dead = read_until(apache_kafka.bootstrap, [topics.dead_letters], lambda seen: len(seen) >= 2)
            assert process.poll() is None
    found = [msgspec.json.decode(record.value) for record in decided]
    assert sorted(each["event_id"] for each in found) == sorted(f"e{n}" for n in range(total))
    assert {each["event_id"]: each["event"]["amount"] for each in found}["e3"] == event(3)["amount"]
    reasons = {dict(letter.headers)["reason"]: letter.value for letter in dead}
    assert reasons == {b"not_avro": b"no frame", b"unknown_schema": b"\0\0\0\0\x09 no schema"}
