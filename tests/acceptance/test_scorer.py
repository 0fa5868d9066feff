"""Real scorers on a real Apache Kafka: killed, joined by others, fed garbage, given a new model."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.log import decode_log
from tests.support.features import assert_features_as_if_nothing_had_happened
from tests.support.kafka import Seen, feed_of, read_until
from tests.support.models import small_model
from tests.support.payments import encoded, private_pipeline, shipped_tree
from tests.support.processes import scorer
from training.publish import Publisher

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]

SMALL_BATCHES = {"serving": {"batch": {"max_events": 40}, "session_timeout": "6s"}}


def decision(record: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(record.value)
    return found


def ids(records: Seen) -> Counter[str]:
    return Counter(decision(record)["event_id"] for record in records)


def at_least(count: int) -> Any:
    return lambda seen: len(seen) >= count


def settled(broker: Broker, pipeline: Pipeline, sent: dict[int, int]) -> None:
    """Return when the group has committed everything that was sent."""

    def everything(seen: Seen) -> bool:
        ends: dict[int, int] = {}
        for record in seen:
            ends[record.partition] = decode_log(record.value)[1].next_offset
        return all(ends.get(partition, 0) >= count for partition, count in sent.items())

    read_until(broker.bootstrap, [pipeline.topics.features], everything)


def test_killed_again_and_again_every_event_has_exactly_one_decision(
    apache_kafka: Broker, unique: str, tmp_path: Path
) -> None:
    config, pipeline = private_pipeline(tmp_path, unique, **SMALL_BATCHES)
    feed = feed_of(pipeline, apache_kafka.bootstrap)
    total = 6_000
    feed.send(encoded(n) for n in range(total))
    for kill_at in (500, 1_700, 3_000):
        with scorer(config, apache_kafka.bootstrap) as process:
            read_until(apache_kafka.bootstrap, [pipeline.topics.decisions], at_least(kill_at))
            process.send_signal(signal.SIGKILL)
    with scorer(config, apache_kafka.bootstrap):
        settled(apache_kafka, pipeline, feed.sent)
    decided = read_until(apache_kafka.bootstrap, [pipeline.topics.decisions], at_least(total))
    assert ids(decided) == Counter(f"e{n}" for n in range(total))
    assert _by_kcat(apache_kafka, pipeline.topics.decisions) == {f"e{n}": 1 for n in range(total)}
    assert_features_as_if_nothing_had_happened(apache_kafka, pipeline)


def test_a_second_scorer_joins_the_first_is_killed_and_nothing_is_lost_or_doubled(
    apache_kafka: Broker, unique: str, tmp_path: Path
) -> None:
    config, pipeline = private_pipeline(
        tmp_path, unique, serving={"batch": {"max_events": 40}, "session_timeout": "6s"}
    )
    feed = feed_of(pipeline, apache_kafka.bootstrap)
    feed.send(encoded(n) for n in range(3_000))
    decisions = [pipeline.topics.decisions]
    with scorer(config, apache_kafka.bootstrap, 0) as first:
        read_until(apache_kafka.bootstrap, decisions, at_least(500))
        with scorer(config, apache_kafka.bootstrap, 1):
            read_until(apache_kafka.bootstrap, decisions, at_least(3_000))
            feed.send(encoded(n) for n in range(3_000, 5_000))
            first.send_signal(signal.SIGKILL)
            settled(apache_kafka, pipeline, feed.sent)
    decided = read_until(apache_kafka.bootstrap, decisions, at_least(5_000))
    assert ids(decided) == Counter(f"e{n}" for n in range(5_000))
    assert_features_as_if_nothing_had_happened(apache_kafka, pipeline)


def test_bad_input_becomes_dead_letters_with_reasons_and_the_stream_goes_on(
    apache_kafka: Broker, unique: str, tmp_path: Path
) -> None:
    config, pipeline = private_pipeline(tmp_path, unique)
    feed = feed_of(pipeline, apache_kafka.bootstrap)
    key, value = encoded(1)
    bad: list[tuple[bytes | None, bytes, str]] = [
        (key, b"not json", "not_json"),
        (key, b"\xff\xfe\x00", "not_json"),
        (key, b"", "empty"),
        (key, b"[1, 2]", "invalid_field"),
        (key, b'{"event_id": "x1"}', "invalid_field"),
        (key, encoded(2, customer_id="c1", amount="a lot")[1], "invalid_field"),
        (key, encoded(3, customer_id="c1", amount=10.005)[1], "invalid_field"),
        (key, encoded(4, customer_id="c1", event_time="2999-01-01T00:00:00Z")[1], "future_event"),
        (key, b'{"z":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "not_json"),
        (key, encoded(5, customer_id="c1", channel="x" * 900_000)[1], "too_large"),
        (key, encoded(7, customer_id="c1", channel=os.urandom(515_000).hex())[1], "too_large"),
        (None, encoded(6)[1], "wrong_key"),
        (key, value.replace(b"groceries", b"travel"), "id_reused"),
    ]
    feed.send([(key, value)])
    feed.send((k, v) for k, v, _ in bad)
    giant = b"x" * 20_000_000
    _giant_by_kcat(apache_kafka, pipeline.topics.events, key, giant, tmp_path)
    feed.send([(key, value), encoded(51)])
    with scorer(config, apache_kafka.bootstrap) as process:
        dead = read_until(apache_kafka.bootstrap, [pipeline.topics.dead_letters], at_least(len(bad) + 1))
        decided = read_until(apache_kafka.bootstrap, [pipeline.topics.decisions], at_least(2))
        settled(apache_kafka, pipeline, feed.sent)
        assert process.poll() is None
    assert ids(decided) == Counter(["e1", "e51"])
    found = [(record.key, record.value or b"", dict(record.headers)) for record in dead]
    (cut,) = (letter for letter in found if "cut_from" in letter[2])
    found.remove(cut)
    assert (cut[2]["reason"], cut[2]["cut_from"]) == (b"too_large", b"20000000")
    assert giant.startswith(cut[1])
    assert Counter((k, v, headers["reason"].decode()) for k, v, headers in found) == Counter(bad)
    assert all(headers["detail"] and headers["source_offset"].isdigit() for _, _, headers in found)


def test_a_new_model_is_taken_between_batches_without_a_restart(
    apache_kafka: Broker, unique: str, tmp_path: Path
) -> None:
    config, pipeline = private_pipeline(tmp_path, unique, **SMALL_BATCHES)
    feed = feed_of(pipeline, apache_kafka.bootstrap)
    publisher = Publisher(apache_kafka.bootstrap, pipeline, lambda: "2026-01-05T00:00:00Z")
    decisions = [pipeline.topics.decisions]
    sent = 0
    with scorer(config, apache_kafka.bootstrap):
        for version in (None, "m1", "m2"):
            if version is not None:
                publisher.publish(*small_model(pipeline, version, seed=len(version)), why="test")
            sent = _feed_until_decided_by(version, sent, feed, apache_kafka, pipeline)
        settled(apache_kafka, pipeline, feed.sent)
    decided = read_until(apache_kafka.bootstrap, decisions, at_least(sent))
    assert ids(decided) == Counter(f"e{n}" for n in range(sent))
    for partition in {record.partition for record in decided}:
        epochs = [decision(record)["release"] for record in decided if record.partition == partition]
        assert epochs == sorted(epochs)
    for found in map(decision, decided):
        assert (found["release"], found["model"]) in {(0, None), (1, "m1"), (2, "m2")}
        assert (found["score"] is None) == (found["fallback"] == "cold_start") == (found["release"] == 0)


def test_a_pipeline_that_needs_all_partitions_refuses_to_share_them(
    apache_kafka: Broker, unique: str, tmp_path: Path
) -> None:
    features = shipped_tree()["features"]
    features["windows"].append({"entity": "terminal_id", "windows": ["24h"], "count": True})
    config, pipeline = private_pipeline(tmp_path, unique, features=features)
    feed = feed_of(pipeline, apache_kafka.bootstrap)
    feed.send(encoded(n) for n in range(100))
    with scorer(config, apache_kafka.bootstrap, 0) as first:
        read_until(apache_kafka.bootstrap, [pipeline.topics.decisions], at_least(100))
        with scorer(config, apache_kafka.bootstrap, 1) as second:
            assert second.wait(60) == 2 or first.wait(60) == 2
    said = "".join(path.read_text() for path in sorted(tmp_path.glob("scorer-*.log")))
    assert "terminal_id_count_24h" in said
    assert "one scorer must hold all partitions" in said


def _feed_until_decided_by(
    version: str | None, sent: int, feed: Any, broker: Broker, pipeline: Pipeline
) -> int:
    """Send events, a few hundred at a time, until some are decided by ``version``."""
    while True:
        feed.send(encoded(n) for n in range(sent, sent + 300))
        sent += 300
        seen = read_until(broker.bootstrap, [pipeline.topics.decisions], at_least(sent))
        if any(decision(record)["model"] == version for record in seen):
            return sent


def _kcat() -> str:
    kcat = shutil.which("kcat")
    if kcat is None:
        pytest.fail("kcat is not installed: apt-get install kcat, or brew install kcat")
    return kcat


def _giant_by_kcat(broker: Broker, topic: str, key: bytes, value: bytes, folder: Path) -> None:
    """A message that passes the broker's limit compressed, with a header whose name is not UTF-8."""
    file = folder / "giant"
    file.write_bytes(value)
    where: list[str | bytes] = [_kcat(), "-b", broker.bootstrap, "-P", "-t", topic, "-k", key, "-z", "gzip"]
    settings = ["-X", "message.max.bytes=100000000", "-X", "partitioner=murmur2_random"]
    subprocess.run([*where, *settings, "-H", b"\xff\xfe=1", str(file)], check=True, timeout=60)


def _by_kcat(broker: Broker, topic: str) -> dict[str, int]:
    """How often each id was decided, as kcat sees it."""
    command = [_kcat(), "-b", broker.bootstrap, "-C", "-t", topic, "-e", "-q", "-o", "beginning"]
    read = subprocess.run(
        [*command, "-X", "isolation.level=read_committed"], capture_output=True, check=True, timeout=60
    )
    return dict(Counter(msgspec.json.decode(line)["event_id"] for line in read.stdout.splitlines()))
