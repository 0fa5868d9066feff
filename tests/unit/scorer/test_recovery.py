"""Take-over from a feature log that is late, short, or not the group's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from feature_store.clock import StreamClock
from feature_store.errors import StateError
from streams.models.watcher import Acting
from streams.scorer import partition_log, recovery
from streams.scorer.core import ScorerCore
from streams.scorer.deltas import DeltaDecoder
from streams.scorer.records import Position, SourceDelta, SourceRecord, Under
from tests.support.outcomes import counting_frauds, delta
from tests.support.payments import MONDAY, SECOND, encoded, private_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Consumer


EPOCH = 4


class Entry(NamedTuple):
    """One message of the log."""

    number: int
    content: bytes

    def offset(self) -> int:
        return self.number

    def value(self) -> bytes:
        return self.content

    def partition(self) -> int:
        return 0


class Log:
    """A features topic of one partition, of which one message more can be seen at every look."""

    def __init__(self, pipeline: Pipeline, visible: int, total: int) -> None:
        self._visible = visible
        core = self._core = ScorerCore(pipeline, StreamClock())
        core.add_partition(0, 0)
        self._messages = []
        for number in range(total):
            key, value = encoded(number, customer_id="c1")
            arrived_at = MONDAY + 3_600 * SECOND
            record = SourceRecord(0, number, key, value, arrived_at // 1_000, arrived_at)
            self._messages.append(core.step([record], Acting(EPOCH, None)).log[0].message)
            core.commit()

    def watermarks(self, *_: Any) -> tuple[int, int]:
        self._visible = min(self._visible + 1, len(self._messages))
        return 0, self._visible

    def learn(self, *deltas: SourceDelta) -> None:
        """One message more, of a step that had outcomes only."""
        self._messages.append(self._core.step([], Acting(EPOCH, None), deltas).log[0].message)
        self._core.commit()

    def read_range(self, _: str, __: str, ranges: dict[int, tuple[int, int]]) -> Iterator[Entry]:
        low, high = ranges[0]
        yield from map(Entry, range(low, high), self._messages[low:high])


def restored(
    log: Log,
    committed: int | None,
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: int = 0,
) -> ScorerCore:
    monkeypatch.setattr(partition_log, "watermarks", log.watermarks)
    monkeypatch.setattr(partition_log, "read_range", log.read_range)
    core = ScorerCore(pipeline, StreamClock())
    core.add_partition(0, 0)
    position = None if committed is None else Position(committed, outcomes)
    found = recovery.restore(core, pipeline, "nowhere", cast("Consumer", None), {0: position})
    assert found[:2] == (committed or 0, Under(EPOCH if committed else 0, -1))
    return core


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return private_pipeline(tmp_path, "unit")[1]


def test_a_log_whose_end_comes_after_the_offsets_is_waited_for(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = restored(Log(pipeline, visible=0, total=6), 6, pipeline, monkeypatch)
    assert core.positions == {0: 6}
    assert len(core.intake.filter_of(0)) == 6


def test_a_log_that_never_reaches_the_offsets_is_refused(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_log, "LOG_PATIENCE_S", 0.0)
    with pytest.raises(StateError, match=r"committed offset 9 .*, but the feature log ends at 3"):
        restored(Log(pipeline, visible=3, total=3), 9, pipeline, monkeypatch)


def test_offsets_that_expired_do_not_make_everything_be_decided_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StateError, match=r"no committed offset.*up to offset 3 were decided"):
        restored(Log(pipeline, visible=3, total=3), None, pipeline, monkeypatch)


def test_what_was_never_decided_starts_empty(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    core = restored(Log(pipeline, visible=0, total=0), None, pipeline, monkeypatch)
    assert core.positions == {0: 0}


def test_the_end_of_a_log_is_waited_for_where_it_has_outcomes_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pipeline = counting_frauds(tmp_path)
    log = Log(pipeline, visible=0, total=2)
    log.learn(SourceDelta(0, 4, DeltaDecoder(pipeline).decode(delta(7, 1))))
    core = restored(log, 2, pipeline, monkeypatch, outcomes=5)
    assert core.positions == {0: 2}
    assert core.outcomes == {0: (5, 7)}
    assert core.seq == 3


def test_outcomes_that_the_log_never_has_are_refused(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_log, "LOG_PATIENCE_S", 0.0)
    with pytest.raises(
        StateError, match=r"offset 3 \(outcomes 5\), but the feature log ends at 3 \(outcomes 0\)"
    ):
        restored(Log(pipeline, visible=3, total=3), 3, pipeline, monkeypatch, outcomes=5)
