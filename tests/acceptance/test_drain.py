"""A scorer that is told to stop in the middle of a backlog ends what it began; the next replays nothing."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.support.features import assert_features_as_if_nothing_had_happened
from tests.support.kafka import decided, feed_of, read_until
from tests.support.payments import encoded, private_pipeline
from tests.support.processes import scorer

if TYPE_CHECKING:
    from pathlib import Path

    from streams.broker import Broker

pytestmark = pytest.mark.acceptance

SMALL = {"batch": {"max_events": 20}, "snapshots": {"every": "1h"}}
"""Many batches, and no snapshot but the one at the end."""
BACKLOG, TOTAL = 2_000, 2_200


def test_told_to_stop_under_load_it_ends_its_batch_and_hands_its_state_over(
    embedded_broker: Broker, unique: str, tmp_path: Path
) -> None:
    config, pipeline = private_pipeline(tmp_path, unique, serving=SMALL)
    feed = feed_of(pipeline, embedded_broker.bootstrap)
    decisions = pipeline.topics.decisions
    feed.send(encoded(n) for n in range(BACKLOG))
    with scorer(config, embedded_broker.bootstrap) as process:
        read_until(embedded_broker.bootstrap, [decisions], lambda found: len(found) >= BACKLOG // 20)
        process.send_signal(signal.SIGTERM)  # most likely in the middle of it
        feed.send(encoded(n) for n in range(BACKLOG, TOTAL))
        assert process.wait(60) == 0
    assert list((tmp_path / "state" / "snapshots").rglob("*.snapshot"))
    with scorer(config, embedded_broker.bootstrap):
        assert decided(embedded_broker, pipeline, TOTAL) == Counter(f"e{n}" for n in range(TOTAL))
    lines = [msgspec.json.decode(line) for line in (tmp_path / "scorer-0.log").read_bytes().splitlines()]
    assert [line["replayed"] for line in lines if line["event"] == "partitions_gained"] == [0, 0]
    assert_features_as_if_nothing_had_happened(embedded_broker, pipeline)
