"""A scorer that comes back to its slot, or whose slot a second one takes: the others hear nothing of it."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.support.features import assert_features_as_if_nothing_had_happened
from tests.support.kafka import decided, feed_of
from tests.support.payments import encoded, private_pipeline
from tests.support.processes import scorer

if TYPE_CHECKING:
    from pathlib import Path

    from streams.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]

UNHURRIED = {"batch": {"max_events": 40}, "session_timeout": "5m"}
"""However slow the machine is, nobody is given up: who is away is waited for."""


def said(folder: Path, slot: int, event: str) -> list[dict[str, Any]]:
    lines = (folder / f"scorer-{slot}.log").read_bytes().splitlines()
    found = [msgspec.json.decode(line) for line in lines if line.startswith(b"{")]
    return [line for line in found if line["event"] == event]


def test_one_of_two_is_stopped_and_killed_and_comes_back_while_the_other_goes_on(
    apache_kafka: Broker, unique: str, tmp_path: Path
) -> None:
    config, pipeline = private_pipeline(tmp_path, unique, serving=UNHURRIED)
    feed = feed_of(pipeline, apache_kafka.bootstrap)
    sent = 0

    def more(count: int) -> None:
        nonlocal sent
        feed.send(encoded(n) for n in range(sent, sent + count))
        sent += count

    more(400)
    with scorer(config, apache_kafka.bootstrap, 0) as steady:
        assert len(decided(apache_kafka, pipeline, sent)) == sent
        with scorer(config, apache_kafka.bootstrap, 1) as second:
            while not any(line["partitions"] for line in said(tmp_path, 1, "partitions_gained")):
                more(50)
                decided(apache_kafka, pipeline, sent)
            before = said(tmp_path, 0, "partitions_lost"), said(tmp_path, 0, "partitions_gained")
            second.send_signal(signal.SIGTERM)
            more(400)
            assert second.wait(60) == 0
        with scorer(config, apache_kafka.bootstrap, 1) as again:
            decided(apache_kafka, pipeline, sent)
            more(400)
            again.send_signal(signal.SIGKILL)
            again.wait(60)
            more(400)
        with scorer(config, apache_kafka.bootstrap, 1):
            assert decided(apache_kafka, pipeline, sent) == Counter(f"e{n}" for n in range(sent))
        assert steady.poll() is None
        assert (said(tmp_path, 0, "partitions_lost"), said(tmp_path, 0, "partitions_gained")) == before
    first, *later = (line["partitions"] for line in said(tmp_path, 1, "partitions_gained"))
    assert later == [first, first]
    assert_features_as_if_nothing_had_happened(apache_kafka, pipeline)


def test_what_one_gives_up_that_dies_and_comes_back_is_not_left_to_nobody(
    apache_kafka: Broker, unique: str, tmp_path: Path
) -> None:
    """It dies before it joins again, upon which Kafka would have given to the other what it gave up."""
    config, pipeline = private_pipeline(tmp_path, unique, serving=UNHURRIED)
    feed = feed_of(pipeline, apache_kafka.bootstrap)
    feed.send(encoded(n) for n in range(400))
    with scorer(config, apache_kafka.bootstrap, dies_at="scorer.given_up") as first:
        decided(apache_kafka, pipeline, 400)
        with scorer(config, apache_kafka.bootstrap, 1):
            assert first.wait(60) == -signal.SIGKILL
            with scorer(config, apache_kafka.bootstrap, 0):
                feed.send(encoded(n) for n in range(400, 800))
                assert decided(apache_kafka, pipeline, 800) == Counter(f"e{n}" for n in range(800))
    assert any(said(tmp_path, slot, "partitions_held_by_nobody") for slot in (0, 1))
    assert_features_as_if_nothing_had_happened(apache_kafka, pipeline)


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_of_two_with_one_slot_the_newer_goes_on_and_the_older_says_why_it_ends(
    apache_kafka: Broker, unique: str, tmp_path: Path, delivery: str
) -> None:
    config, pipeline = private_pipeline(tmp_path, unique, serving=UNHURRIED | {"delivery": delivery})
    feed = feed_of(pipeline, apache_kafka.bootstrap)
    feed.send(encoded(n) for n in range(300))
    with scorer(config, apache_kafka.bootstrap) as older:
        decided(apache_kafka, pipeline, 300)
        with scorer(config, apache_kafka.bootstrap) as newer:
            assert older.wait(60) == 4
            feed.send(encoded(n) for n in range(300, 600))
            assert decided(apache_kafka, pipeline, 600) == Counter(f"e{n}" for n in range(600))
            newer.send_signal(signal.SIGTERM)  # killed, it may have decided what is not yet in its log
            assert newer.wait(60) == 0
    log = (tmp_path / "scorer-0.log").read_text()
    assert "give each process a --slot of its own" in log
    assert "Traceback" not in log
    assert_features_as_if_nothing_had_happened(apache_kafka, pipeline)
