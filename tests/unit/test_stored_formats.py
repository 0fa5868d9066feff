"""What an older release stored is read; what a newer one stored is refused, by name and with the cure.

The keeper's store: tests/unit/keeper/migrations. Snapshots: tests/unit/snapshots/test_format.py. Backups:
tests/unit/keeper/backup. The feature log: below, with the records of compacted topics.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pytest

from console.users import USERS, Users
from feature_store.errors import ConfigError, ContractError, StorageError
from feature_store.formats import NewerFormatError, check_format, refuse_newer
from feature_store.log import decode_log, encode_log, log_schema
from streams.messages import Release
from streams.messages.model import manifest_key, release_key
from streams.messages.policy import read_document
from streams.models.assembly import ModelsTopic
from streams.monitor.webhook import Noted
from streams.policies import default_document
from tests.support.logged import nothing_logged
from tests.support.models import manifest_of
from tests.support.payments import private_pipeline
from training.keeper.client import KeeperClient, KeeperUnreachableError
from training.keeper.schedule.schedule import Schedule
from training.keeper.server import ADDRESS_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

NEWER = "it is of format 2, this sluicegate knows 1: a newer one wrote it"
NOON = 1_767_268_800_000_000


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return private_pipeline(tmp_path, "unit")[1]


def newer(content: bytes) -> bytes:
    """The same, of the next format."""
    return json.dumps(json.loads(content) | {"format": 2}).encode()


def older(content: bytes) -> bytes:
    """The same as it was written before formats had numbers."""
    return json.dumps({key: value for key, value in json.loads(content).items() if key != "format"}).encode()


@pytest.mark.parametrize("found", [0, -1, "2", None, 1.5, [1]])
def test_what_is_no_format_is_refused(found: object) -> None:
    with pytest.raises(NewerFormatError, match="is none"):
        refuse_newer(found)


def test_a_number_that_is_not_there_is_the_first() -> None:
    check_format(b'{"anything": 1}')
    check_format(b'{"format": 2}', known=2)
    with pytest.raises(NewerFormatError, match="format 3"):
        check_format(b'{"format": 3}', known=2)


def test_users(tmp_path: Path) -> None:
    Users(tmp_path).add("ann", "viewer", "a long password", "bob")
    file = tmp_path / USERS
    content = file.read_bytes()
    file.write_bytes(older(content))
    assert list(Users(tmp_path).all()) == ["ann"]
    file.write_bytes(newer(content))
    with pytest.raises(ConfigError, match=NEWER):
        Users(tmp_path).add("eve", "operator", "a long password", "eve")
    assert file.read_bytes() == newer(content)


def test_the_keepers_address(tmp_path: Path) -> None:
    told = {"url": "http://127.0.0.1:1", "token": "t", "pid": 1}
    (tmp_path / ADDRESS_FILE).write_text(json.dumps(told))
    KeeperClient(tmp_path).__exit__()
    (tmp_path / ADDRESS_FILE).write_text(json.dumps(told | {"format": 2}))
    with pytest.raises(KeeperUnreachableError, match=NEWER):
        KeeperClient(tmp_path)


def test_the_schedule(tmp_path: Path, pipeline: Pipeline) -> None:
    path = tmp_path / "schedule.sqlite"
    schedule = Schedule(path, pipeline.training, lambda _: None)
    schedule.tick(NOON)
    due = schedule.next_run
    schedule.close()

    def put(change: Any) -> None:
        with closing(sqlite3.connect(path)) as store, store:
            ((state,),) = store.execute("SELECT job_state FROM apscheduler_jobs").fetchall()
            store.execute("UPDATE apscheduler_jobs SET job_state = ?", (change(state),))

    put(older)
    again = Schedule(path, pipeline.training, lambda _: None)
    assert again.next_run == due
    again.close()
    put(newer)
    with pytest.raises(StorageError, match=NEWER):
        Schedule(path, pipeline.training, lambda _: None)


def test_manifests_and_releases(pipeline: Pipeline) -> None:
    topic = ModelsTopic(pipeline)
    manifest = msgspec.json.encode(manifest_of(pipeline, "m1", b"trees"))
    release = msgspec.json.encode(
        Release(epoch=1, champion="m1", released_at="2026-01-01T00:00:00Z", why="x")
    )
    with pytest.raises(ContractError, match=f"the manifest of m1 .*{NEWER}"):
        topic.feed(manifest_key(pipeline.name, "m1"), newer(manifest))
    assert NEWER in str(topic.refused("m1"))
    topic.feed(manifest_key(pipeline.name, "m1"), manifest)
    assert topic.feed(release_key(pipeline.name), release)
    with pytest.raises(ContractError, match=f"the release record .*{NEWER}"):
        topic.feed(release_key(pipeline.name), newer(release))
    assert topic.release is not None
    assert topic.release.epoch == 1


def test_the_feature_log(pipeline: Pipeline) -> None:
    schema = log_schema(pipeline)
    meta = nothing_logged(pipeline.name)
    nothing = pa.RecordBatch.from_pylist([], schema)
    plain = encode_log(nothing, meta)
    assert decode_log(plain)[1] == meta
    with pytest.raises(ContractError, match=NEWER):
        decode_log(plain.replace(b'"format":1', b'"format":2'))
    assert decode_log(plain.replace(b',"format":1', b"           "))[1] == meta


def test_how_far_the_webhook_came() -> None:
    content = msgspec.json.encode(Noted("alerts", 7))
    assert msgspec.json.decode(older(content), type=Noted) == Noted("alerts", 7)
    with pytest.raises(NewerFormatError, match=NEWER):
        msgspec.json.decode(newer(content), type=Noted)


def test_policies(pipeline: Pipeline) -> None:
    content = msgspec.json.encode(default_document(pipeline))
    assert read_document(content) == default_document(pipeline)
    with pytest.raises(msgspec.MsgspecError, match=NEWER):
        read_document(newer(content))
