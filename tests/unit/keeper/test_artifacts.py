"""Artifacts in a store: what is published is there, what is not kept goes, what was left behind is found."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from feature_store.declaration.artifacts import ArtifactSpec
from feature_store.errors import BrokerError, ContractError, StorageError
from streams.messages.model import manifest_key
from tests.unit.keeper.test_publish import NOW, manifest
from training.kept import KEPT
from training.publish import Publisher
from training.writer import KeeperWriter

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

DAY_S = 86_400
NOW_S = time.time()


@pytest.fixture
def storing(pipeline: Pipeline, tmp_path: Path) -> Pipeline:
    spec = ArtifactSpec(store=str(tmp_path / "store"), inline_below=10)
    return pipeline.model_copy(update={"training": pipeline.training.model_copy(update={"artifacts": spec})})


@pytest.fixture
def publisher(bootstrap: str, storing: Pipeline) -> Publisher:
    return Publisher(bootstrap, storing, lambda: NOW)


@pytest.fixture
def folder(storing: Pipeline, tmp_path: Path) -> Path:
    return tmp_path / "store" / storing.name / "models"


def artifact(number: int) -> bytes:
    return f"a large artifact, number {number}".encode()


def publish(publisher: Publisher, pipeline: Pipeline, number: int, content: bytes | None = None) -> str:
    content = content or artifact(number)
    of = manifest(pipeline, number, content)
    publisher.publish(of, content, "test")
    return of.artifact.sha256


def test_small_ones_stay_on_the_topic_and_large_ones_go_to_the_store(
    publisher: Publisher, storing: Pipeline, folder: Path
) -> None:
    publish(publisher, storing, 1, b"small")
    assert not folder.exists()
    digest = publish(publisher, storing, 2)
    assert (folder / digest).read_bytes() == artifact(2)
    found = publisher.read()
    small, large = found.manifests.values()
    assert (small.artifact.store, small.artifact.chunks) == (None, 1)
    assert (large.artifact.store, large.artifact.chunks) == (f"models/{digest}", 0)
    assert [found.artifact(each.version) for each in (small, large)] == [b"small", artifact(2)]
    publisher.rollback()
    publisher.promote(large.version)


def test_versions_that_are_no_longer_kept_leave_the_store_with_the_topic(
    publisher: Publisher, storing: Pipeline, folder: Path
) -> None:
    digests = [publish(publisher, storing, number) for number in range(KEPT + 3)]
    assert {file.name for file in folder.iterdir()} == {
        each.artifact.sha256 for each in publisher.read().manifests.values()
    }
    assert not (folder / digests[0]).exists()
    assert (folder / digests[-1]).exists()


def test_two_versions_of_one_artifact_share_it_until_neither_is_kept(
    publisher: Publisher, storing: Pipeline, folder: Path
) -> None:
    shared = publish(publisher, storing, 0, artifact(0))
    for number in range(1, KEPT):
        publish(publisher, storing, number)
    publish(publisher, storing, KEPT, artifact(0))
    publish(publisher, storing, KEPT + 1)
    assert next(iter(publisher.read().manifests)).endswith("02-1")
    assert (folder / shared).exists()


def test_what_a_keeper_left_behind_when_it_died_is_cleaned_up_by_a_later_one(
    publisher: Publisher, storing: Pipeline, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It died between the store and the topic: the run is made again, or it is not."""
    kept = publish(publisher, storing, 1)

    def dies(*_: object) -> None:
        raise BrokerError("the keeper died here")

    monkeypatch.setattr("training.writer._commit", dies)
    with pytest.raises(BrokerError, match="died here"):
        publish(publisher, storing, 2)
    monkeypatch.undo()
    orphan = manifest(storing, 2, artifact(2)).artifact.sha256
    assert (folder / orphan).exists()
    assert len(publisher.read().manifests) == 1
    young = publish(publisher, storing, 3)
    assert (folder / orphan).exists()  # it may yet be published
    for name in (orphan, kept, young):
        os.utime(folder / name, (NOW_S - 2 * DAY_S, NOW_S - 2 * DAY_S))
    publisher.rollback()
    assert {file.name for file in folder.iterdir()} == {kept, young}
    assert publish(publisher, storing, 2) == orphan  # the same run, made again


def test_nothing_is_swept_while_a_manifest_cannot_be_read(
    publisher: Publisher, storing: Pipeline, bootstrap: str, folder: Path
) -> None:
    """Another release of the program wrote it: what it names must be there when that one is back."""
    publish(publisher, storing, 1)
    (folder / "named-by-another").write_bytes(b"trees")
    os.utime(folder / "named-by-another", (NOW_S - 2 * DAY_S, NOW_S - 2 * DAY_S))
    record = manifest_key(storing.name, "of-another"), b'{"unheard": "of"}'
    KeeperWriter(bootstrap, storing.name).write(storing.topics.models, lambda: ([record], None))
    publish(publisher, storing, 2)
    assert (folder / "named-by-another").exists()
    gone = manifest_key(storing.name, "of-another"), None
    KeeperWriter(bootstrap, storing.name).write(storing.topics.models, lambda: ([gone], None))
    publish(publisher, storing, 3)
    assert not (folder / "named-by-another").exists()


def test_an_artifact_that_cannot_be_stored_publishes_nothing(
    publisher: Publisher, storing: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / storing.name).write_bytes(b"in the way")
    with pytest.raises(StorageError, match=r"training\.artifacts\.store: cannot write"):
        publish(publisher, storing, 1)
    assert publisher.read().manifests == {}
    (tmp_path / "store" / storing.name).unlink()
    publish(publisher, storing, 1)


def test_a_store_that_cannot_be_cleaned_keeps_nobody_from_publishing(
    publisher: Publisher, storing: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StorageError("away")

    monkeypatch.setattr("streams.models.artifacts.ArtifactStore.sweep", away)
    publish(publisher, storing, 1)
    release = publisher.release()
    assert release is not None
    assert release.epoch == 1


def test_what_is_in_the_store_is_checked_before_it_is_used(
    publisher: Publisher, storing: Pipeline, folder: Path
) -> None:
    digest = publish(publisher, storing, 1)
    version = next(iter(publisher.read().manifests))
    (folder / digest).write_bytes(b"?" * len(artifact(1)))
    with pytest.raises(ContractError, match="not what its manifest says"):
        publisher.read().artifact(version)
    (folder / digest).write_bytes(b"?" * (len(artifact(1)) + 1))
    with pytest.raises(StorageError, match="expected"):  # and it is not read at all
        publisher.read().artifact(version)


def test_a_reader_without_a_store_says_which_key_it_lacks(
    publisher: Publisher, pipeline: Pipeline, storing: Pipeline, bootstrap: str
) -> None:
    publish(publisher, storing, 1)
    poor = Publisher(bootstrap, pipeline, lambda: NOW)
    with pytest.raises(ContractError, match=r"declares none: training\.artifacts\.store"):
        poor.read().artifact(next(iter(poor.read().manifests)))
