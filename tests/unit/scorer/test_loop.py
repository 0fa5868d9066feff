"""The loop between Kafka and the core: no record twice, none skipped, whatever the client does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from feature_store.clock import StreamClock
from feature_store.errors import StateError
from feature_store.log import decode_log
from feature_store.objects import in_memory
from feature_store.snapshots import Shelf
from streams.kafka import Aborted
from streams.metrics import ScorerMetrics
from streams.models.watcher import Acting
from streams.policies import compile_policy, default_document
from streams.scorer.deltas import DeltaDecoder
from streams.scorer.loop import ScorerLoop
from streams.scorer.records import Position, SourceDelta
from tests.support.outcomes import counting_frauds, delta
from tests.support.payments import encoded, private_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.records import StepResult


class Arrived:
    """A message of partition 0; where it is the ``end``, nothing but the news of it."""

    def __init__(self, number: int, *, end: bool = False) -> None:
        self._number = number
        self._end = end

    def error(self) -> KafkaError | None:
        return KafkaError(KafkaError._PARTITION_EOF) if self._end else None

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._number

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_767_571_200_000

    def headers(self) -> Any:
        raise SystemError("returned a result with an exception set")

    def set_headers(self, headers: list[Any]) -> None:
        """The client keeps them."""

    def key(self) -> bytes:
        return encoded(self._number)[0]

    def value(self) -> bytes:
        return encoded(self._number)[1]


class Client:
    """A consumer that gives what it is told, then seeks as it is told."""

    def __init__(self, first: Arrived | None, rest: list[Arrived], *, seek_fails: bool = False) -> None:
        self.first = first
        self.rest = rest
        self._seek_fails = seek_fails
        self.sought: list[tuple[int, int]] = []
        self.meanwhile: Callable[[], object] = int
        """What the group says while messages are taken."""

    def poll(self, timeout: float) -> Arrived | None:
        del timeout
        return self.first

    def consume(self, count: int, timeout: float) -> list[Arrived]:
        del count, timeout
        self.meanwhile()
        return self.rest

    def get_watermark_offsets(self, place: Any, *, cached: bool) -> tuple[int, int]:
        del place, cached
        return 0, 0

    def seek(self, place: Any) -> None:
        if self._seek_fails:
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.sought.append((place.partition, place.offset))


class Commits:
    """Transactions that are all committed, or all aborted."""

    def __init__(self, *, abort: bool = False) -> None:
        self._abort = abort
        self.committed: list[StepResult] = []

    def joined(self) -> None: ...

    def turn(self) -> None: ...

    def commit(self, result: StepResult) -> dict[int, int]:
        if self._abort:
            raise Aborted("as planned")
        self.committed.append(result)
        return {}


class Alerts:
    """What was raised."""

    def __init__(self) -> None:
        self.raised: list[str] = []

    def send(self, kind: str, *_: Any) -> None:
        self.raised.append(kind)


class Feed:
    """What became known: one outcome, until it is applied."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.waiting = [SourceDelta(1, 6, DeltaDecoder(pipeline).decode(delta(3, 1)))]

    def poll(self) -> list[SourceDelta]:
        return list(self.waiting)

    def applied(self, count: int) -> None:
        del self.waiting[:count]


class Policies:
    """The pipeline file's own."""

    failure = None

    def __init__(self, pipeline: Pipeline) -> None:
        self.active = compile_policy(pipeline, default_document(pipeline))

    def not_before(self, offset: int) -> bool:
        return offset == -1


class Watcher:
    """No model."""

    acting = Acting(0, None)
    failure = None

    def wait_for(self, epoch: int) -> bool:
        return epoch == 0


def loop_of(client: Client, commits: Commits, folder: Path) -> ScorerLoop:
    return loop_for(private_pipeline(folder, "unit")[1], client, commits)


def loop_for(pipeline: Pipeline, client: Client, commits: Commits) -> ScorerLoop:
    watchers: list[Any] = [Watcher(), Policies(pipeline)]
    parts: list[Any] = [StreamClock(), Alerts(), Shelf(in_memory(), "unit", 1), ScorerMetrics("unit", 0)]
    loop = ScorerLoop(pipeline, "nowhere", cast("Any", client), cast("Any", commits), *watchers, *parts)
    for partition in (0, 1):
        loop._core.add_partition(partition, 0)
    return loop


def test_a_partition_lost_and_regained_in_one_turn_is_not_read_twice(tmp_path: Path) -> None:
    again = [Arrived(0), Arrived(1), Arrived(2)]
    commits = Commits()
    loop_of(Client(Arrived(0), again), commits, tmp_path)._turn()
    (result,) = commits.committed
    assert [each.record.offset for each in result.decided] == [0, 1, 2]
    assert result.duplicates == 0


def test_what_was_read_before_a_partition_was_lost_and_regained_is_read_again(tmp_path: Path) -> None:
    """Another may have decided less than this one has read: the partition goes on where that one stood."""
    client, commits = Client(Arrived(7), [Arrived(8), Arrived(9, end=True)]), Commits()
    loop = loop_of(client, commits, tmp_path)

    def lost_and_regained() -> None:
        loop._lost([0])
        loop._core.drop_partition(0)
        loop._core.add_partition(0, 3)

    client.meanwhile = lost_and_regained
    loop._turn()
    client.first, client.rest, client.meanwhile = None, [], int
    loop._turn()
    assert client.sought == [(0, 3)]
    assert commits.committed == []
    assert loop._core.positions == {0: 3, 1: 0}


def test_with_what_is_decided_a_position_passes_what_counts_nowhere_behind_it(tmp_path: Path) -> None:
    commits = Commits()
    loop = loop_of(Client(Arrived(0), [Arrived(1), Arrived(5, end=True)]), commits, tmp_path)
    loop._turn()
    (result,) = commits.committed
    assert len(result.decided) == 2
    assert result.positions == {0: Position(5, 0)}
    _, meta = decode_log(result.log[0].message)
    assert (meta.first_offset, meta.next_offset) == (0, 5)


def test_what_counts_nowhere_is_passed_once_nothing_comes(tmp_path: Path) -> None:
    client, commits = Client(Arrived(3, end=True), []), Commits()
    loop = loop_of(client, commits, tmp_path)
    loop._turn()
    assert commits.committed == []
    client.first = None
    for _ in range(3):
        loop._turn()
    (result,) = commits.committed
    assert (result.decided, result.positions) == ([], {0: Position(3, 0)})
    rows, meta = decode_log(result.log[0].message)
    assert (rows.num_rows, meta.first_offset, meta.next_offset) == (0, 0, 3)


def test_an_end_does_not_hide_what_came_behind_it(tmp_path: Path) -> None:
    commits = Commits()
    loop = loop_of(Client(Arrived(3, end=True), [Arrived(3), Arrived(4)]), commits, tmp_path)
    loop._turn()
    (result,) = commits.committed
    assert [each.record.offset for each in result.decided] == [3, 4]
    assert result.positions == {0: Position(5, 0)}


def test_after_an_abort_the_end_behind_what_was_read_is_forgotten(tmp_path: Path) -> None:
    client = Client(Arrived(0), [Arrived(2, end=True)])
    loop = loop_of(client, Commits(abort=True), tmp_path)
    loop._turn()
    client.first, client.rest = None, []
    loop._transactions = cast("Any", Commits())
    loop._turn()
    assert loop._core.positions == {0: 0, 1: 0}


def test_after_an_abort_only_what_was_read_is_sought(tmp_path: Path) -> None:
    client = Client(Arrived(0), [])
    loop_of(client, Commits(abort=True), tmp_path)._turn()
    assert client.sought == [(0, 0)]


def test_where_it_cannot_go_back_the_scorer_ends_rather_than_skip_events(tmp_path: Path) -> None:
    loop = loop_of(Client(Arrived(0), [], seek_fails=True), Commits(abort=True), tmp_path)
    with pytest.raises(StateError, match="cannot go back to offset 0"):
        loop._turn()
    assert cast("Any", loop)._core.positions == {0: 0, 1: 0}


def test_outcomes_are_applied_while_no_event_comes(tmp_path: Path) -> None:
    pipeline, commits = counting_frauds(tmp_path)[1], Commits()
    loop = loop_for(pipeline, Client(None, []), commits)
    feed = cast("Any", loop)._outcomes = Feed(pipeline)
    loop._turn()
    loop._turn()
    (result,) = commits.committed
    assert result.positions == {1: Position(0, 7)}
    assert feed.waiting == []
    assert loop._core.outcomes == {0: (0, 0), 1: (7, 3)}


def test_after_an_abort_outcomes_are_applied_again(tmp_path: Path) -> None:
    pipeline = counting_frauds(tmp_path)[1]
    client = Client(Arrived(0), [])
    loop = loop_for(pipeline, client, Commits(abort=True))
    feed = cast("Any", loop)._outcomes = Feed(pipeline)
    loop._turn()
    assert client.sought == [(0, 0)]
    assert len(feed.waiting) == 1
    assert loop._core.outcomes == {0: (0, 0), 1: (0, 0)}
