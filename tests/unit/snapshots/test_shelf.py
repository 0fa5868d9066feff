"""The newest sound snapshot is found; old ones go; a failing writer hurts nobody."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import structlog

from feature_store.errors import ConfigError, StorageError
from feature_store.objects import in_memory
from feature_store.snapshots import (
    ObjectFolder,
    PartitionPosition,
    Shelf,
    Snapshot,
    SnapshotWriter,
    open_folder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from structlog.typing import EventDict


def snapshot(number: int, unit: str = "partition-0", pipeline: str = "payments") -> Snapshot:
    arrays = {"a": np.arange(number)}
    return Snapshot(pipeline, unit, {0: PartitionPosition(number)}, {"g": "h"}, number, number, arrays)


@pytest.fixture(params=["folder", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectFolder:
    return in_memory() if request.param == "memory" else open_folder("", tmp_path / "a" / "snapshots")


@pytest.fixture
def said() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def seqs(shelf: Shelf, unit: str = "partition-0") -> list[int]:
    return [found.seq for _, found in shelf.newest_first(unit)]


def test_the_newest_comes_first_and_the_oldest_goes(folder: ObjectFolder) -> None:
    shelf = Shelf(folder, "payments", keep=3)
    assert seqs(shelf) == []
    for number in range(1, 13):
        shelf.put(snapshot(number))
    shelf.put(snapshot(5, unit="partition-1"))
    assert seqs(shelf) == [12, 11, 10]
    assert seqs(shelf, "partition-1") == [5]
    assert len(folder.list("payments/partition-0")) == 3


def test_pipelines_and_units_with_similar_names_do_not_meet(folder: ObjectFolder) -> None:
    Shelf(folder, "pay", keep=3).put(snapshot(1, unit="partition-1", pipeline="pay"))
    Shelf(folder, "pay", keep=3).put(snapshot(2, unit="partition-10", pipeline="pay"))
    Shelf(folder, "payments", keep=3).put(snapshot(3, unit="partition-1"))
    assert seqs(Shelf(folder, "pay", keep=3), "partition-1") == [1]


@pytest.mark.parametrize("kept", [0, 1, 20, 100, -1])
def test_a_torn_one_is_passed_over_and_said(folder: ObjectFolder, said: list[EventDict], kept: int) -> None:
    shelf = Shelf(folder, "payments", keep=3)
    shelf.put(snapshot(1))
    name = shelf.put(snapshot(2))
    folder.put(name, folder.get(name)[:kept])
    assert seqs(shelf) == [1]
    assert [(line["event"], line["snapshot"]) for line in said] == [("snapshot_rejected", name)]
    shelf.put(snapshot(3))
    assert seqs(shelf) == [3, 1]


def test_one_of_another_pipeline_under_our_name_is_passed_over(
    folder: ObjectFolder, said: list[EventDict]
) -> None:
    shelf = Shelf(folder, "payments", keep=3)
    name = shelf.put(snapshot(1))
    foreign = Shelf(folder, "claims", keep=3).put(snapshot(1, pipeline="claims"))
    folder.put(name, folder.get(foreign))
    assert seqs(shelf) == []
    assert said[0]["why"] == "it is of claims/partition-0, not of payments/partition-0"


def test_what_cannot_be_removed_does_not_spoil_what_was_written(
    said: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = in_memory()
    shelf = Shelf(folder, "payments", keep=1)
    old = shelf.put(snapshot(1))

    def refuse(_: str) -> None:
        raise StorageError("not allowed")

    monkeypatch.setattr(folder, "delete", refuse)
    shelf.put(snapshot(2))
    assert seqs(shelf) == [2, 1]
    assert said == [
        {"event": "snapshots_not_removed", "snapshots": [old], "why": "not allowed", "log_level": "warning"}
    ]


def test_other_files_in_the_folder_are_not_taken_for_snapshots(folder: ObjectFolder) -> None:
    shelf = Shelf(folder, "payments", keep=1)
    folder.put("payments/partition-0/README.md", b"ours")
    shelf.put(snapshot(1))
    shelf.put(snapshot(2))
    assert seqs(shelf) == [2]
    assert folder.get("payments/partition-0/README.md") == b"ours"


def test_what_a_killed_writer_left_is_neither_read_nor_kept_for_ever(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path), tmp_path)
    shelf = Shelf(folder, "payments", keep=2)
    name = shelf.put(snapshot(1))
    left = tmp_path / f"{name}#1"
    left.write_bytes(b"half")
    assert seqs(shelf) == [1]
    shelf.put(snapshot(2))
    assert left.exists()  # its writer may still be at it
    os.utime(left, (time.time() - 7_200,) * 2)
    shelf.put(snapshot(3))
    assert not left.exists()


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"serving\.snapshots\.store: .*file/below.* is no usable folder"):
        open_folder(str(tmp_path / "file" / "below"), tmp_path)
    folder = open_folder("", tmp_path / "gone")
    (tmp_path / "gone" / "payments").write_bytes(b"in the way")
    with pytest.raises(StorageError, match=r"cannot .* is there room, and may this user write"):
        Shelf(folder, "payments", keep=1).put(snapshot(1))


def test_a_bucket_is_named_by_url_and_checked(tmp_path: Path) -> None:
    assert str(open_folder("s3://bucket/some/prefix/", tmp_path)) == "s3://bucket/some/prefix/"
    assert str(open_folder("s3://bucket", tmp_path)) == "s3://bucket"
    wrong = [
        "s3://",
        "s3:///prefix",
        "s3://buck et/x",
        "s3://key:secret@bucket/x",
        "gs://bucket/x",
        "s3://b/x?y=1",
    ]
    for url in wrong:
        with pytest.raises(ConfigError, match=r"serving\.snapshots\.store"):
            open_folder(url, tmp_path)


class SlowFolder(ObjectFolder):
    """Writes when it is let."""

    def __init__(self, inner: ObjectFolder) -> None:
        self._inner = inner
        self.reached = threading.Event()
        self.let = threading.Event()
        self.broken = False

    def put(self, name: str, data: bytes | memoryview) -> None:
        self.reached.set()
        assert self.let.wait(30)
        if self.broken:
            raise StorageError("the disk is full")
        self._inner.put(name, data)

    def list(self, prefix: str) -> list[str]:
        return self._inner.list(prefix)

    def get(self, name: str) -> bytes:
        return self._inner.get(name)

    def sweep(self, prefix: str) -> None: ...


def test_a_slow_store_never_queues_and_a_shutdown_waits() -> None:
    slow = SlowFolder(in_memory())
    shelf = Shelf(slow, "payments", keep=3)
    writer = SnapshotWriter(shelf, pytest.fail)
    assert writer.write(snapshot(1))
    assert slow.reached.wait(30)
    assert not writer.write(snapshot(2))
    assert not writer.write(snapshot(3))
    slow.let.set()
    writer.wait()
    assert not writer.busy
    assert seqs(shelf) == [1]
    assert writer.write(snapshot(4))
    writer.wait()
    assert seqs(shelf) == [4, 1]


def test_one_thread_writes_all_of_them_and_keeps_none() -> None:
    shelf = Shelf(in_memory(), "payments", keep=3)
    writer = SnapshotWriter(shelf, pytest.fail)
    before = set(threading.enumerate())
    wrote = set()
    for seq in range(1, 4):
        assert writer.write(snapshot(seq))
        wrote |= set(threading.enumerate()) - before
        writer.wait()
    assert len(wrote) == 1
    assert seqs(shelf) == [3, 2, 1]


def test_a_failed_write_is_told_and_the_next_one_is_taken(said: list[EventDict]) -> None:
    slow = SlowFolder(in_memory())
    slow.let.set()
    slow.broken = True
    shelf = Shelf(slow, "payments", keep=3)
    failures: list[str] = []
    writer = SnapshotWriter(shelf, failures.append)
    writer.write(snapshot(1))
    writer.wait()
    slow.broken = False
    writer.write(snapshot(2))
    writer.wait()
    assert failures == ["the disk is full"]
    assert [line["event"] for line in said] == ["snapshot_not_written", "snapshot_written"]
    assert seqs(shelf) == [2]


def test_what_cannot_be_written_at_all_does_not_end_the_process() -> None:
    failures: list[str] = []
    writer = SnapshotWriter(Shelf(in_memory(), "payments", keep=3), failures.append)
    odd = Snapshot("payments", "all", {}, {}, 1, 1, {"a": np.array([None])})
    writer.write(odd)
    writer.wait()
    assert failures == ["TypeError: a: a snapshot holds plain arrays, not object"]
