"""What an assignment asks of the client in whose callback it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from unittest.mock import Mock

import pytest

from feature_store.claims import Claim
from feature_store.clock import WallClock
from feature_store.errors import StateError
from streams.kafka import Consumer, TopicPartition
from streams.scorer import partitions as partitions_module
from streams.scorer.claiming import Claiming
from streams.scorer.core import ScorerCore
from streams.scorer.partitions import Partitions
from streams.scorer.records import Position
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

ALLOWED = {"subscribe", "committed", "incremental_assign"}
"""The client's list_topics, called inside a callback, aborts the process in the next one."""


def test_an_assignment_does_not_ask_its_own_client_for_topics(tmp_path: Path) -> None:
    _, pipeline = private_pipeline(tmp_path, "unit")
    consumer: Any = Mock(spec=Consumer)
    consumer.committed.return_value = []
    others: Any = Mock()
    others.shelf = None
    core = ScorerCore(pipeline, WallClock())
    partitions = Partitions(
        cast("Consumer", consumer),
        core,
        pipeline,
        "",
        others,
        others,
        Mock(),
        Mock(return_value=True),
        Mock(),
        Mock(),
    )
    partitions.subscribe()
    consumer.subscribe.call_args.kwargs["on_assign"](consumer, [])
    assert partitions.failure is None
    assert {name for name, _, _ in consumer.method_calls} == ALLOWED


def assigned(pipeline: Pipeline, patch: pytest.MonkeyPatch, log_ends: int) -> Partitions:
    """The group stands at 450 of partition 0, what is kept of the events begins at 470."""
    consumer, others = Mock(spec=Consumer), Mock()
    others.shelf = None
    core = ScorerCore(pipeline, WallClock())

    def restored(*_: Any) -> Any:
        core.restored(0, log_ends)
        return Mock(ends={}, snapshots=[], events=0, under=Mock(_asdict=dict))

    patch.setattr(partitions_module, "committed_positions", lambda *_: {0: Position(450)})
    patch.setattr(partitions_module, "watermarks", lambda *_: (470, 600))
    patch.setattr(partitions_module, "restore", restored)
    patch.setattr(Partitions, "_refuse_half_a_state", lambda _: None)
    claiming, joined, heard = Claiming(pipeline, Mock()), Mock(), Mock(return_value=True)
    found = Partitions(consumer, core, pipeline, "", others, others, joined, heard, claiming, Mock())
    found.subscribe()
    consumer.subscribe.call_args.kwargs["on_assign"](consumer, [TopicPartition("events", 0)])
    return found


def test_the_group_is_told_where_partitions_stand_that_are_handed_over(tmp_path: Path) -> None:
    """Whoever gets them may be away: this one may end before anybody says it."""
    _, pipeline = private_pipeline(tmp_path, "unit", serving={"delivery": "at_least_once"})
    consumer, others, writer = Mock(spec=Consumer), Mock(), Mock()
    core = ScorerCore(pipeline, WallClock())
    claiming, joined, heard = Claiming(pipeline, writer), Mock(), Mock(return_value=True)
    partitions = Partitions(consumer, core, pipeline, "", others, others, joined, heard, claiming, Mock())
    partitions.subscribe()
    for partition in (0, 1):
        core.add_partition(partition, 0)
        core.restored(partition, 40 + partition, claim=Claim(3, 7))
    partitions.keep_no_more()
    revoke = consumer.subscribe.call_args.kwargs["on_revoke"]
    revoke(consumer, [TopicPartition("events", partition) for partition in (1, 2)])  # 2: assigned too late
    writer.stand.assert_called_once_with({1: Position(41, 0, 3)})
    assert partitions.failure is None
    assert list(core.positions) == [0]


@pytest.mark.parametrize(
    ("delivery", "log_ends", "lost"),
    [("exactly_once", 450, True), ("at_least_once", 460, True), ("at_least_once", 500, False)],
)
def test_events_that_are_gone_were_decided_where_the_log_has_them(
    delivery: str, log_ends: int, lost: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without transactions the group's offsets may stay behind for as long as events are kept."""
    _, pipeline = private_pipeline(tmp_path, "unit", serving={"delivery": delivery})
    failure = assigned(pipeline, monkeypatch, log_ends).failure
    if lost:
        assert isinstance(failure, StateError)
        assert f"from offset {log_ends} to 470 were deleted" in str(failure)
    else:
        assert failure is None
