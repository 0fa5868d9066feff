"""The AsyncAPI document: sound by itself, and true of what is really sent."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from typer.testing import CliRunner

from console.cli.app import app
from streams.asyncapi import asyncapi
from streams.kafka import pipeline_topics
from streams.messages import Alert, ArtifactInfo, Calibration, FeatureRef, Manifest, Release
from tests.support.documented import DOCS, fences
from tests.support.payments import SHIPPED, event, private_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALIDATOR: Any = import_module("jsonschema").Draft202012Validator
TOLD = [json.loads(text) for _, text in fences(DOCS / "reference" / "topics-and-messages.md", "json")]


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    _, pipeline = private_pipeline(tmp_path, "shop")
    return asyncapi(pipeline)


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        yield from (value for name, value in tree.items() if name == "$ref")
        for value in tree.values():
            yield from references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from references(value)


def at(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def problems(document: dict[str, Any], schema: str, message: Any) -> list[str]:
    """What ``schema`` of the document says against a message."""
    whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    return [error.message for error in VALIDATOR(whole).iter_errors(message)]


def test_it_is_whole(document: dict[str, Any]) -> None:
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(document["info"])
    found = list(references(document))
    assert len(found) > 50
    for reference in found:
        at(document, reference)
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert at(document, operation["channel"]["$ref"])["messages"]


def test_it_has_every_topic_under_its_own_name(document: dict[str, Any], tmp_path: Path) -> None:
    _, pipeline = private_pipeline(tmp_path, "shop")
    told = {
        each["address"]: each["bindings"]["kafka"]["partitions"] for each in document["channels"].values()
    }
    assert told == {spec.name: spec.partitions for spec in pipeline_topics(pipeline)}
    assert document["channels"]["models"]["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] == [
        "compact"
    ]
    assert document["channels"]["events"]["address"] == "shop-events"


def test_its_schemas_are_schemas(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        VALIDATOR.check_schema(schema)
        assert r"\Z" not in json.dumps(schema)


@pytest.mark.parametrize(("schema", "keys"), [
    ("Decision", {"action", "score"}),
    ("Explanation", {"base", "margin"}),
    ("Outcome", {"label", "observed_at"}),
    ("OutcomeDelta", {"route_seq", "fraud"}),
])  # fmt: skip
def test_the_examples_of_the_docs_fit(document: dict[str, Any], schema: str, keys: set[str]) -> None:
    examples = [each for each in TOLD if keys <= set(each)]
    assert examples
    assert [problems(document, schema, each) for each in examples] == [[]] * len(examples)


@pytest.mark.parametrize("struct", [
    Alert("shop", "drift", "moved", "2026-01-05T00:00:00Z", {"psi": 0.4, "feature": None}),
    Release(3, "v-1", "2026-01-05T00:00:00Z", "by hand", shadows=["v-2"]),
    Manifest(
        "v-1", "shop", "lightgbm", [FeatureRef("amount", "ab")], ArtifactInfo.of(b"trees"), Calibration(),
        "2026-01-05T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z", {"rows": 1.0}, 10, 1,
    ),
], ids=lambda struct: type(struct).__name__)  # fmt: skip
def test_what_is_sent_fits(document: dict[str, Any], struct: msgspec.Struct) -> None:
    sent = json.loads(msgspec.json.encode(struct))
    assert problems(document, type(struct).__name__, sent) == []
    sent.pop(next(iter(sent)))
    assert problems(document, type(struct).__name__, sent)


def test_an_event_fits_what_is_declared(document: dict[str, Any]) -> None:
    assert problems(document, "Event", event(1)) == []
    assert problems(document, "Event", event(1, device_id=None)) == []
    assert problems(document, "Event", event(1, amount=[])) != []
    assert problems(document, "Event", {"event_id": "e1"}) != []
    assert document["components"]["schemas"]["Event"]["properties"]["ip_address"]["x-personal"] is True


def test_the_command_prints_that_of_any_pipeline(tmp_path: Path) -> None:
    asked = ["schema", "--asyncapi", str(SHIPPED), "--state-dir", str(tmp_path)]
    printed = json.loads(CliRunner().invoke(app, asked).stdout)
    assert printed["info"]["title"] == "Sluicegate: payments"
    refused = CliRunner().invoke(app, ["schema", str(SHIPPED)])
    assert refused.exit_code == 2
    assert "--asyncapi" in refused.output
