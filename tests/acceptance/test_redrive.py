"""Dead letters are sent again: decided once, a duplicate afterwards, refused again without going round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.log import decode_log
from streams.kafka import plain_producer
from tests.support.kafka import Seen, feed_of, read_all, read_until
from tests.support.payments import ENVIRONMENT, encoded, private_pipeline, shipped_tree
from tests.support.processes import scorer

if TYPE_CHECKING:
    from pathlib import Path

    from streams.broker import Broker

pytestmark = pytest.mark.acceptance

LONG = "x" * 2_000


def dlq(config: Path, bootstrap: str, *arguments: str, answer: str = "") -> tuple[int, str]:
    place = ["--config", str(config), "--broker", bootstrap, "--state-dir", str(config.parent / "state")]
    done = subprocess.run(
        [sys.executable, "-m", "console.cli", "dlq", *arguments, *place],
        env=os.environ | ENVIRONMENT,
        input=answer,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout


def accounted(seen: Seen, field: str) -> int:
    return sum(len(getattr(decode_log(record.value)[1], field)) for record in seen)


def with_max_bytes(folder: Path, prefix: str, most: int, clock: str) -> tuple[Path, Any]:
    tree = shipped_tree()
    return private_pipeline(folder, prefix, event=tree["event"] | {"max_bytes": most}, clock=clock)


def _send_with_header(bootstrap: str, topic: str, key: bytes, value: bytes) -> None:
    producer = plain_producer(bootstrap)
    producer.produce(topic, key=key, value=value, headers=[("trace", b"\xff\x00")])
    assert producer.flush(30) == 0


@pytest.mark.parametrize("clock", ["wall", "stream"])
def test_letters_go_again_once_what_refused_them_is_changed(
    embedded_broker: Broker, unique: str, tmp_path: Path, clock: str
) -> None:
    bootstrap = embedded_broker.bootstrap
    config, pipeline = with_max_bytes(tmp_path, unique, 1_000, clock)
    feed = feed_of(pipeline, bootstrap)
    letters, log = [pipeline.topics.dead_letters], [pipeline.topics.features]
    key, value = encoded(1, channel=LONG)
    _send_with_header(bootstrap, pipeline.topics.events, key, value)
    feed.send([(key, b"not json"), (key, b"z" * 6_000_000), encoded(2)])
    with scorer(config, bootstrap):
        read_until(bootstrap, letters, lambda seen: len(seen) >= 3)

    status, told = dlq(config, bootstrap, "list", "--event-id", "e1", "--json")
    (only,) = map(json.loads, told.splitlines())
    assert (status, only["reason"], only["bytes"]) == (0, "too_large", len(value))
    status, told = dlq(config, bootstrap, "redrive", "--all", "--dry-run")
    assert status == 0
    assert "2 to " in told
    assert "1 stay\n  1: its bytes were cut" in told
    assert dlq(config, bootstrap, "redrive", "--at", only["at"], answer="n\n")[0] == 1
    assert len(read_all(bootstrap, pipeline.topics.events)) == 4

    with_max_bytes(tmp_path, unique, 100_000, clock)
    with ExitStack() as stack:
        stack.enter_context(scorer(config, bootstrap))
        status, told = dlq(config, bootstrap, "redrive", "--reason", "too_large", "--yes", "--json")
        assert (status, json.loads(told)["sent"]) == (0, 1)
        decided = read_until(bootstrap, [pipeline.topics.decisions], lambda seen: len(seen) >= 2)
        assert sorted(msgspec.json.decode(each.value)["event_id"] for each in decided) == ["e1", "e2"]
        first, again = (each for each in read_all(bootstrap, pipeline.topics.events) if each.value == value)
        assert (again.key, again.partition) == (first.key, first.partition)
        assert dict(again.headers)["redriven_from"] == only["at"].encode()
        assert dict(again.headers)["trace"] == b"\xff\x00"
        assert dlq(config, bootstrap, "redrive", "--at", only["at"], "--yes")[0] == 0
        read_until(bootstrap, log, lambda seen: accounted(seen, "duplicates") == 1)
        assert dlq(config, bootstrap, "redrive", "--reason", "not_json", "--yes")[0] == 0
        read_until(bootstrap, letters, lambda seen: len(seen) >= 4)
        status, told = dlq(config, bootstrap, "redrive", "--reason", "not_json", "--yes", "--json")
        figures = json.loads(told)
        assert (figures["sent"], sum(figures["stay"].values())) == (1, 1)
        found = read_until(bootstrap, letters, lambda seen: len(seen) >= 5)
    assert sum(each.value == b"not json" for each in found) == 3
    assert len(read_all(bootstrap, pipeline.topics.decisions)) == 2
