"""A models topic that somebody else writes to: it costs no memory and leads nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.errors import ContractError
from streams.messages.model import CHUNK_BYTES, MOST_BYTES, artifact_key, manifest_key, release_key
from streams.models import chunks
from streams.models.assembly import ModelsTopic
from tests.support.models import manifest_of
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

DIGEST = "0" * 64


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return private_pipeline(tmp_path, "hostile")[1]


def artifact(**change: object) -> dict[str, Any]:
    return {"length": 10, "sha256": DIGEST, "chunks": 1} | change


@pytest.mark.parametrize(
    "info",
    [
        artifact(length=10**15, chunks=10**9),
        artifact(length=MOST_BYTES + 1),
        artifact(length=MOST_BYTES),  # in one chunk
        artifact(length=-1),
        artifact(chunks=10**9),
        artifact(chunks=-1),
        artifact(chunks=0),
        artifact(sha256="../" * 10),
        artifact(sha256=DIGEST + "\n"),
        artifact(chunks=0, store="models/../../secrets"),
        artifact(chunks=0, store="s3://elsewhere/models/" + DIGEST),
        artifact(chunks=0, store="models/" + "1" * 64),
        artifact(store="models/" + DIGEST),
    ],
)
def test_a_manifest_that_no_keeper_wrote_is_refused_where_it_is_decoded(
    pipeline: Pipeline, info: dict[str, Any]
) -> None:
    manifest = msgspec.to_builtins(manifest_of(pipeline, "m1", b"trees")) | {"artifact": info}
    with pytest.raises(ContractError, match="malformed"):
        ModelsTopic(pipeline).feed(manifest_key(pipeline.name, "m1"), msgspec.json.encode(manifest))


@pytest.mark.parametrize(
    "version", ["../../etc/passwd", "..", ".hidden", "a/b", "a\0b", "a\n", "é", "v" * 201, ""]
)
def test_a_version_names_nothing_but_itself(pipeline: Pipeline, version: str) -> None:
    manifest = msgspec.to_builtins(manifest_of(pipeline, "m1", b"trees")) | {"version": version}
    with pytest.raises(ContractError, match="malformed"):
        ModelsTopic(pipeline).feed(manifest_key(pipeline.name, version), msgspec.json.encode(manifest))


@pytest.mark.parametrize("epoch", [-1, 2**53 + 1, 2**63 - 1, 2**70, 1.5, "1"])
def test_an_epoch_is_a_number_that_every_reader_keeps(pipeline: Pipeline, epoch: object) -> None:
    record = {"epoch": epoch, "champion": "m1", "released_at": "", "why": ""}
    with pytest.raises(ContractError, match="malformed"):
        ModelsTopic(pipeline).feed(release_key(pipeline.name), msgspec.json.encode(record, enc_hook=str))


def test_chunks_that_nobody_claims_are_forgotten_before_they_fill_the_memory(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MOST_BYTES", 4 * CHUNK_BYTES)
    topic = ModelsTopic(pipeline)
    whole = b"t" * CHUNK_BYTES
    topic.feed(artifact_key("sound", 0), whole)
    manifest = manifest_of(pipeline, "sound", whole)
    topic.feed(manifest_key(pipeline.name, "sound"), msgspec.json.encode(manifest))
    for number in range(100):
        topic.feed(artifact_key(f"flood{number}", 0), whole)
        assert topic._chunks._unclaimed <= 8 * CHUNK_BYTES
        assert len(topic._chunks._chunks) <= 9
    assert topic.artifact("sound") == whole


def test_chunks_that_are_taken_away_or_replaced_are_not_counted_twice() -> None:
    found = chunks.Chunks()
    for _ in range(3):
        found.feed("m1", 0, b"first")
    found.feed("m1", 1, b"second")
    found.claim("m1")
    found.claim("m1")
    assert found._unclaimed == 0
    found.disclaim("m1")
    for number in (0, 1, 2):
        found.feed("m1", number, None)
    assert found._unclaimed == 0
    assert found._chunks == {}


@pytest.mark.parametrize(("number", "size"), [(0, CHUNK_BYTES + 1), (999_999, 1)])
def test_a_chunk_that_no_keeper_cut_is_refused(pipeline: Pipeline, number: int, size: int) -> None:
    with pytest.raises(ContractError, match="none of ours"):
        ModelsTopic(pipeline).feed(artifact_key("m1", number), b"x" * size)


def test_many_missing_chunks_are_told_in_a_line(pipeline: Pipeline) -> None:
    topic = ModelsTopic(pipeline)
    manifest = manifest_of(pipeline, "m1", b"t" * (50 * CHUNK_BYTES))
    topic.feed(manifest_key(pipeline.name, "m1"), msgspec.json.encode(manifest))
    with pytest.raises(ContractError, match=r"chunks \[0, 1, 2, 3, 4\] and 45 more are missing"):
        topic.artifact("m1")
