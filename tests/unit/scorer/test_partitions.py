"""What an assignment asks of the client in whose callback it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from unittest.mock import Mock

from feature_store.clock import WallClock
from streams.kafka import Consumer
from streams.scorer.core import ScorerCore
from streams.scorer.partitions import Partitions
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

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
