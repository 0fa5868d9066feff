"""Two keepers of one pipeline on two folders: one acts, the other is told who does, on either broker."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING

import msgspec
import pytest

from feature_store.errors import BrokerError
from streams.kafka import KafkaError, KafkaException, TopicPartition, group_consumer, read_to_end
from streams.kafka.refused import AccessError
from tests.unit.keeper.conftest import write_pipeline
from tests.unit.keeper.sending import Running, deltas_on
from tests.unit.keeper.sink.sinking import outcome
from tests.unit.keeper.written import START, event_id, write_batches, write_outcomes
from training.keeper.holder import IDENTITY, Holder, folder_id, holder_in
from training.keeper.place import Place, PlaceLostError, PlaceTakenError
from training.writer import KeeperWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts

    Arrive = Callable[..., Place]

BOTH = pytest.mark.parametrize("either", ["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
NEVER = threading.Event()


@pytest.fixture
def config(tmp_path: Path, unique: str) -> Path:
    return write_pipeline(tmp_path, unique, "count: true, fraud_rate: true")


@pytest.fixture
def arrive(pipeline: Pipeline, bootstrap: str, tmp_path: Path) -> Iterator[Arrive]:
    """A keeper that comes with the state folder of this name; it has not taken its place yet."""
    arrived: list[Place] = []

    def come(folder: str, take_over_s: float = 0.5) -> Place:
        (tmp_path / folder).mkdir(exist_ok=True)
        arrived.append(Place(bootstrap, pipeline, tmp_path / folder, take_over_s))
        return arrived[-1]

    yield come
    for place in arrived:
        with suppress(RuntimeError):  # closed by the test
            place.close()


def falls_silent(place: Place) -> None:
    """As one that is frozen: it says nothing more, and has not left."""
    place.stop()


@BOTH
def test_the_second_is_told_who_is_there(arrive: Arrive, tmp_path: Path, either: str) -> None:
    first = arrive("first")
    assert first.take(NEVER)
    with pytest.raises(PlaceTakenError) as told:
        arrive("second", take_over_s=60).take(NEVER)
    assert f"process {os.getpid()} on " in str(told.value)
    assert f"state folder {tmp_path.resolve() / 'first'}, since 20" in str(told.value)
    first.confirm()


@BOTH
def test_one_that_left_in_order_is_followed_at_once_and_by_any_folder(arrive: Arrive, either: str) -> None:
    for folder in ("first", "second", "first"):
        place = arrive(folder, take_over_s=3_600)
        assert place.take(NEVER)
        place.close()


@BOTH
def test_who_comes_back_on_its_own_folder_has_its_place_at_once(arrive: Arrive, either: str) -> None:
    killed = arrive("first")
    assert killed.take(NEVER)
    again = arrive("first", take_over_s=3_600)
    assert again.take(NEVER)
    with pytest.raises(PlaceLostError, match="lost its place"):
        killed.confirm()
    again.confirm()


@BOTH
def test_one_that_is_silent_is_replaced_and_may_write_nothing_more(
    arrive: Arrive, new_parts: Callable[[], Parts], pipeline: Pipeline, bootstrap: str, either: str
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3))], START)
    frozen = arrive("first")
    assert frozen.take(NEVER)
    writer = KeeperWriter(bootstrap, pipeline.name, frozen.confirm)
    parts = dataclasses.replace(new_parts(), confirm=frozen.confirm)
    keeping = Running(parts)
    keeping.catch_up()
    falls_silent(frozen)
    newer = arrive("second")
    assert newer.take(NEVER)
    frozen._stop.clear()
    with pytest.raises(PlaceLostError, match="another keeper of pipeline"):
        frozen._beat()
    frozen._error = PlaceLostError("lost")
    with pytest.raises(PlaceLostError):
        writer.write(pipeline.topics.models, lambda: ([(b"late", b"late")], None))
    with pytest.raises(PlaceLostError):
        keeping.sender.step()
    keeping.sink.close()
    assert list(read_to_end(bootstrap, pipeline.topics.models)) == []
    assert deltas_on(bootstrap, pipeline.topics.entity_outcomes) == []
    KeeperWriter(bootstrap, pipeline.name, newer.confirm).write(
        pipeline.topics.models, lambda: ([(b"sound", b"sound")], None)
    )
    assert [m.key() for m in read_to_end(bootstrap, pipeline.topics.models)] == [b"sound"]


@BOTH
def test_what_an_older_producer_has_open_is_ended_before_anything_is_read(
    pipeline: Pipeline, bootstrap: str, either: str
) -> None:
    newer = KeeperWriter(bootstrap, pipeline.name)

    def overtaken() -> tuple[list[tuple[bytes, bytes | None]], None]:
        newer.settle()
        return [(b"late", b"late")], None

    with pytest.raises(BrokerError, match="not published"):
        KeeperWriter(bootstrap, pipeline.name).write(pipeline.topics.models, overtaken)
    assert list(read_to_end(bootstrap, pipeline.topics.models)) == []


def test_of_two_that_came_at_once_the_newer_goes_on(arrive: Arrive) -> None:
    one, other = arrive("first"), arrive("second")
    assert one.take(NEVER)
    other._join()
    other.start()
    with pytest.raises(PlaceLostError, match="another"):
        one.confirm()
    other.confirm()


def test_a_process_of_this_machine_that_was_killed_is_not_waited_for(arrive: Arrive) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    first = arrive("first")
    first._me = msgspec.structs.replace(first._me, pid=ended.pid)
    assert first.take(NEVER)
    falls_silent(first)
    if first._me.machine is None:
        pytest.skip("this system does not tell machines apart")
    assert arrive("second", take_over_s=3_600).take(NEVER)


def test_who_is_stopped_while_it_waits_goes_without_the_place(arrive: Arrive) -> None:
    first = arrive("first")
    assert first.take(NEVER)
    falls_silent(first)
    stop = threading.Event()
    stop.set()
    assert not arrive("second", take_over_s=3_600).take(stop)


def test_a_note_that_no_keeper_wrote_is_waited_out(
    arrive: Arrive, pipeline: Pipeline, bootstrap: str
) -> None:
    group = f"sluicegate.{pipeline.name}.keeper"
    stranger = group_consumer(bootstrap, group)
    note = TopicPartition(pipeline.topics.policy, 0, 0, metadata="somebody was here")
    stranger.commit(offsets=[note], asynchronous=False)
    stranger.close()
    assert arrive("first").take(NEVER)


def test_while_kafka_is_away_nobody_counts_as_silent(arrive: Arrive, monkeypatch: pytest.MonkeyPatch) -> None:
    note = msgspec.json.encode(_holder(folder_id="other", machine=None)).decode()
    moved = msgspec.json.encode(_holder(folder_id="other", machine=None, beat=1)).decode()
    read = iter([(0, note), (100, note), (0, moved)])
    now = [0.0]
    newcomer = arrive("second", take_over_s=15)

    def answered_late() -> str:
        took_s, found = next(read)
        now[0] += took_s
        return found

    monkeypatch.setattr(newcomer, "_read", answered_late)
    monkeypatch.setattr("training.keeper.place.time", SimpleNamespace(monotonic=lambda: now[0]))
    with pytest.raises(PlaceTakenError, match="process"):
        newcomer.take(NEVER)


class _RefusedByTheCoordinator:
    """What a client without the right on its group does: calls run out of time, ``poll`` says why."""

    def committed(self, _partitions: object, **_patience: float) -> None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    def poll(self, _wait_s: float) -> _RefusedByTheCoordinator:
        return self

    def error(self) -> KafkaError:
        return KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)

    def close(self) -> None:
        pass


def test_who_lacks_the_right_on_the_group_is_told_so(
    arrive: Arrive, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Place, "_client", lambda *_: _RefusedByTheCoordinator())
    with pytest.raises(AccessError, match=f"Read on group 'sluicegate.{pipeline.name}.keeper'"):
        arrive("first").take(NEVER)


def test_kafka_may_be_away_for_minutes(arrive: Arrive, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, object] = {}

    def client(_bootstrap: str, _group: str, **settings: object) -> _RefusedByTheCoordinator:
        made.update(settings)
        return _RefusedByTheCoordinator()

    monkeypatch.setattr("training.keeper.place.group_consumer", client)
    arrive("first")
    assert made["session_timeout_ms"] == 5 * 60_000  # until then the client gives its place up by itself


def _holder(**changes: object) -> Holder:
    me = Holder("f", "host", os.getpid(), "boot.1", "/state", "2026-01-01T00:00:00Z")
    return msgspec.structs.replace(me, **changes)


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({}, True),  # our own folder, whose lock we hold
        ({"folder_id": "other"}, False),
        ({"folder_id": "other", "left": True}, True),
        ({"folder_id": "other", "pid": 2**22 + 1}, True),
        ({"folder_id": "other", "pid": 2**22 + 1, "machine": "boot.2"}, False),
        ({"folder_id": "other", "pid": 2**22 + 1, "machine": None}, False),
        ({"folder_id": "other", "pid": 2**70}, False),
        ({"folder_id": "other", "pid": -1}, False),
    ],
)
def test_who_is_gone_for_certain(change: dict[str, object], gone: bool) -> None:
    assert _holder(**change).is_gone(_holder()) is gone


@pytest.mark.parametrize("note", ["", "{}", "null", "\ud800", '{"folder_id": 1}', "[" * 4_000])
def test_a_note_of_nobody(note: str) -> None:
    assert holder_in(note) is None


def test_a_folder_keeps_its_name_and_a_copy_of_it_gets_another(tmp_path: Path) -> None:
    folder, copy = tmp_path / "state", tmp_path / "copy"
    folder.mkdir()
    name = folder_id(folder)
    assert folder_id(folder) == name
    shutil.copytree(folder, copy)
    assert folder_id(copy) not in {name, ""}
    assert folder_id(folder) == name
    (folder / IDENTITY).write_text("torn", encoding="ascii")
    assert folder_id(folder) != name
