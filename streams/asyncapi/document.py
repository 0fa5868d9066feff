"""The document: a channel per topic, what this system receives and what it sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streams.asyncapi.schemas import Schema, schemas
from streams.kafka import TopicSpec, pipeline_topics
from streams.kafka.tracing import TRACEPARENT, TRACESTATE
from streams.messages.dead_letter import DEAD_LETTER_HEADERS, DETAIL, REASON

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

ASYNCAPI = "3.0.0"
_JSON, _ARROW, _BYTES = "application/json", "application/vnd.apache.arrow.stream", "application/octet-stream"
_FORMATS = {"json": _JSON, "avro": "application/vnd.apache.avro", "protobuf": "application/x-protobuf"}
_TEXT: Schema = {"type": "string"}
_ARRIVAL = {"arrived_at": {"type": "string", "description": "milliseconds since 1970, on the stream clock"}}
_W3C = {"type": "string", "description": "W3C trace context"}
_TRACE = {TRACEPARENT: _W3C, TRACESTATE: _W3C}
_EVENT = _ARRIVAL | _TRACE
_DECIDED = {"event_id": _TEXT, "model": {"type": "string", "description": "empty without one"}} | _TRACE
_GIVEN = {"type": "string", "description": "of a verdict given in the console"}
_VERDICT = {**_ARRIVAL, "by": _GIVEN, "role": _GIVEN, "via": _GIVEN}


@dataclass(frozen=True)
class Told:
    """A message: what it is, its key, its schema by name or its bytes, and headers that mean something."""

    summary: str
    key: str | None
    schema: str | None
    headers: dict[str, Schema] = field(default_factory=dict)
    content: str = _JSON

    def message(self, name: str) -> dict[str, Any]:
        """The message object under ``name``."""
        payload: Schema = {"type": "string", "format": "binary"}
        if self.schema is not None:
            payload = {"$ref": f"#/components/schemas/{self.schema}"}
        told = {"name": name, "summary": self.summary, "contentType": self.content, "payload": payload}
        if self.headers:
            told["headers"] = {"type": "object", "properties": self.headers}
        if self.key is not None:
            key = {"type": "string", "description": self.key}
            told["bindings"] = {"kafka": {"key": key, "bindingVersion": "0.5.0"}}
        return told


@dataclass(frozen=True)
class Channel:
    """A topic under the name of its setting, and which way its messages go."""

    name: str
    receives: bool
    sends: bool
    messages: dict[str, Told]
    address: str | None = None
    """Where no setting has this name."""


def asyncapi(pipeline: Pipeline) -> dict[str, Any]:
    """The document of ``pipeline``; every reference resolves within it."""
    channels = _channels(pipeline)
    topics = {spec.name: spec for spec in pipeline_topics(pipeline)}
    addresses = {each.name: each.address or str(getattr(pipeline.topics, each.name)) for each in channels}
    return {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": f"Sluicegate: {pipeline.name}",
            "version": "1.0.0",
            "description": "Topics and messages of one pipeline, as its file declares them. Read with "
            "isolation.level=read_committed; produce with murmur2 partitioning.",
        },
        "defaultContentType": _JSON,
        "channels": {
            each.name: _channel(each, addresses[each.name], topics[addresses[each.name]]) for each in channels
        },
        "operations": {name: made for each in channels for name, made in _operations(each)},
        "components": {
            "messages": {
                name: told.message(name) for each in channels for name, told in each.messages.items()
            },
            "schemas": schemas(pipeline.event),
        },
    }


def _channels(pipeline: Pipeline) -> list[Channel]:
    key = f"the value of {pipeline.event.key} as text"
    letter = dict.fromkeys(sorted(DEAD_LETTER_HEADERS), _TEXT) | _TRACE
    event = Told("an event to decide", key, "Event", _EVENT, _FORMATS[pipeline.event.format])
    refused = Told(f"a refused record, byte for byte; {REASON} and {DETAIL} say why", "as the event", None)
    delta = Told("what an outcome means for features", None, "OutcomeDelta", _ARRIVAL)
    return [
        Channel("events", receives=True, sends=False, messages={"event": event}),
        Channel("outcomes", receives=True, sends=True, messages={
            "outcome": Told("the truth about an event", "the event's id", "Outcome", _VERDICT),
        }),
        Channel("decisions", receives=False, sends=True, messages={
            "decision": Told("what is done with an event, and why", "as the event", "Decision", _DECIDED),
        }),
        Channel("explanations", receives=False, sends=True, messages={
            "explanation": Told("exact reasons of a stopped event", "as the event", "Explanation", _DECIDED),
        }),
        Channel("dead_letters", receives=False, sends=True, messages={
            "deadLetter": Told(refused.summary, refused.key, None, letter, _BYTES),
        }),
        Channel("alerts", receives=True, sends=True, messages={
            "alert": Told("something that a person should know", "the pipeline's name", "Alert"),
        }),
        Channel("features", receives=True, sends=True, messages={
            "batch": Told("the feature log; LogMeta is its schema metadata", None, None, {}, _ARROW),
        }),
        Channel("entity_outcomes", receives=True, sends=True, messages={"outcomeDelta": delta}),
        *(
            Channel(
                f"entity_outcomes_{stage.number}", receives=True, sends=True,
                messages={"outcomeDelta": delta}, address=pipeline.topics.outcomes_of(stage),
            )
            for stage in pipeline.counting_stages
        ),
        Channel("models", receives=True, sends=True, messages={
            "chunk": Told("a part of a model's bytes", "artifact/VERSION/I", None, {}, _BYTES),
            "manifest": Told("one immutable version", "manifest/PIPELINE/VERSION", "Manifest"),
            "release": Told("what acts", "release/PIPELINE", "Release"),
            "earlierRelease": Told("what acted before", "release/PIPELINE/EPOCH", "Release"),
        }),
        Channel("policy", receives=True, sends=True, messages={
            "policy": Told("the policy in force", "policy/PIPELINE", "PolicyDocument"),
        }),
    ]  # fmt: skip


def _channel(channel: Channel, address: str, topic: TopicSpec) -> dict[str, Any]:
    settings: dict[str, Any] = {
        name: [value] if name == "cleanup.policy" else int(value) for name, value in topic.settings.items()
    }
    kafka: dict[str, Any] = {"topic": address, "partitions": topic.partitions, "topicConfiguration": settings}
    if topic.replication is not None:
        kafka["replicas"] = topic.replication
    return {
        "address": address,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in channel.messages},
        "bindings": {"kafka": {**kafka, "bindingVersion": "0.5.0"}},
    }


def _operations(channel: Channel) -> list[tuple[str, dict[str, Any]]]:
    title = "".join(word.capitalize() for word in channel.name.split("_"))
    ways = [("receive", channel.receives), ("send", channel.sends)]
    to = {"$ref": f"#/channels/{channel.name}"}
    return [(f"{way}{title}", {"action": way, "channel": to}) for way, goes in ways if goes]
