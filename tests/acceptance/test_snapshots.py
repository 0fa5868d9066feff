"""Real scorers that keep snapshots, are killed at it, and move: nobody can tell afterwards."""

from __future__ import annotations

import signal
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.support.features import (
    assert_features_as_if_nothing_had_happened,
    assert_one_state_as_if_nothing_had_happened,
)
from tests.support.kafka import decided as decided_within
from tests.support.kafka import feed_of
from tests.support.payments import encoded, private_pipeline, shipped_tree
from tests.support.processes import scorer

if TYPE_CHECKING:
    from pathlib import Path

    from streams.broker import Broker

# What a killed scorer left open ends with its transaction's timeout, since none of the same slot comes back.
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]
decided = partial(decided_within, patience=240)

OFTEN = {
    "batch": {"max_events": 100},
    "session_timeout": "6s",
    "snapshots": {"every": "20ms", "keep": 3},
}


@pytest.fixture(
    params=["embedded_broker", pytest.param("apache_kafka", marks=pytest.mark.kafka)],
    ids=["embedded", "kafka"],
)
def broker(request: pytest.FixtureRequest) -> Broker:
    found: Broker = request.getfixturevalue(request.param)
    return found


def said(folder: Path, event: str, slot: int | str = "*") -> list[dict[str, Any]]:
    lines = [
        line for file in sorted(folder.glob(f"scorer-{slot}.log")) for line in file.read_bytes().splitlines()
    ]
    found = [msgspec.json.decode(line) for line in lines if line.startswith(b"{")]
    return [line for line in found if line["event"] == event]


def snapshots(folder: Path) -> list[Path]:
    return sorted((folder / "state" / "snapshots").rglob("*.snapshot"))


@pytest.mark.parametrize("whole", [False, True], ids=["per partition", "over all partitions"])
def test_killed_while_keeping_snapshots_damaged_and_restarted_elsewhere(
    broker: Broker, unique: str, tmp_path: Path, *, whole: bool
) -> None:
    features = shipped_tree()["features"]
    if whole:
        features["windows"].append({"entity": "terminal_id", "windows": ["24h"], "count": True})
    config, pipeline = private_pipeline(tmp_path, unique, serving=OFTEN, features=features)
    feed = feed_of(pipeline, broker.bootstrap)
    total = 5_000
    feed.send(encoded(n) for n in range(total))
    for slot, kill_at in enumerate((800, 2_400)):
        with scorer(config, broker.bootstrap, slot) as process:
            decided(broker, pipeline, kill_at)
            process.send_signal(signal.SIGKILL)
        newest = snapshots(tmp_path)[-1]
        newest.write_bytes(newest.read_bytes()[: 100 * slot + 50])
    with scorer(config, broker.bootstrap, 2) as process:
        feed.send(encoded(n) for n in range(total, total + 500))  # only the third can decide these
        decided(broker, pipeline, total + 500)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with scorer(config, broker.bootstrap, 3):
        feed.send(encoded(n) for n in range(total + 500, total + 1_000))
        assert decided(broker, pipeline, total + 1_000) == Counter(f"e{n}" for n in range(total + 1_000))
    same = (
        assert_one_state_as_if_nothing_had_happened if whole else assert_features_as_if_nothing_had_happened
    )
    same(broker, pipeline)
    assert said(tmp_path, "snapshot_taken")
    assert any("cut short" in line["why"] for line in said(tmp_path, "snapshot_rejected"))
    gained = said(tmp_path, "partitions_gained")[-1]
    assert gained["replayed"] == 0, said(tmp_path, "snapshot_rejected")  # the last one was stopped in order


def test_handed_over_to_a_second_scorer_and_back(broker: Broker, unique: str, tmp_path: Path) -> None:
    rarely = OFTEN | {"snapshots": {"every": "1h"}}
    config, pipeline = private_pipeline(tmp_path, unique, serving=rarely)
    feed = feed_of(pipeline, broker.bootstrap)
    feed.send(encoded(n) for n in range(2_000))
    with scorer(config, broker.bootstrap, 0) as first:
        decided(broker, pipeline, 2_000)
        assert not snapshots(tmp_path)
        sent = 2_000
        with scorer(config, broker.bootstrap, 1) as second:
            while not said(tmp_path, "partitions_gained", slot=1):
                feed.send(encoded(n) for n in range(sent, sent + 200))
                sent += 200
                decided(broker, pipeline, sent)
            assert snapshots(tmp_path)
            feed.send(encoded(n) for n in range(sent, sent + 500))
            decided(broker, pipeline, sent + 500)
            second.send_signal(signal.SIGTERM)
            assert second.wait(60) == 0
        feed.send(encoded(n) for n in range(sent + 500, sent + 1_000))
        assert decided(broker, pipeline, sent + 1_000) == Counter(f"e{n}" for n in range(sent + 1_000))
        assert first.poll() is None
    assert_features_as_if_nothing_had_happened(broker, pipeline)
    assert said(tmp_path, "snapshot_taken", slot=1)
    assert said(tmp_path, "snapshot_taken", slot=0)
