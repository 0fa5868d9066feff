"""A real scorer and everything that somebody might send to stop it."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from feature_store.log import decode_log
from streams.broker.ports import choose_ports
from streams.kafka import ensure_topics, pipeline_topics, plain_producer
from tests.support.hostile import HOSTILE_VALUES, KEYS, MORE_FIELDS, WHOLE, hostile_pipeline, pieced
from tests.support.kafka import Seen, read_all, read_until
from tests.support.kcat import kcat
from tests.support.payments import encoded, event
from tests.support.processes import scorer

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

pytestmark = pytest.mark.acceptance

ODD_HEADERS = [b"\xff\xfe=1", b"arrived_at=99999999999999999999", b"arrived_at=-1", b"x=\x80"]


def test_a_scorer_goes_on_whatever_is_sent(embedded_broker: Broker, unique: str, tmp_path: Path) -> None:
    bootstrap = embedded_broker.bootstrap
    (port,) = choose_ports(tmp_path / "ports.json", 1)
    config, pipeline = hostile_pipeline(tmp_path, unique, serving={"metrics_port": port - 1})
    ensure_topics(bootstrap, pipeline_topics(pipeline))
    sent = _send_hostile(bootstrap, pipeline)
    with scorer(config, bootstrap) as process:
        _settled(bootstrap, pipeline, sent)
        sent += _send(bootstrap, pipeline, [encoded(9_000_000 + n) for n in range(200)])
        sent += _send_with_odd_headers(bootstrap, pipeline, tmp_path)
        _settled(bootstrap, pipeline, sent)
        metrics = _metrics_of(port, sent)
        alerts = read_until(bootstrap, [pipeline.topics.alerts], lambda seen: len(seen) >= 1)
        assert process.poll() is None
    decided = [msgspec.json.decode(each.value) for each in read_all(bootstrap, pipeline.topics.decisions)]
    ids = Counter(found["event_id"] for found in decided)
    assert {f"e{9_000_000 + n}" for n in range(200)} <= set(ids)
    assert {f"h{n}" for n in range(len(ODD_HEADERS))} <= set(ids)
    assert max(ids.values()) == 1
    dead = read_all(bootstrap, pipeline.topics.dead_letters)
    assert all(dict(each.headers)["reason"] for each in dead)
    sources = Counter((each["source"]["partition"], each["source"]["offset"]) for each in decided)
    sources.update((each.partition, int(dict(each.headers)["source_offset"])) for each in dead)
    assert max(sources.values()) == 1
    duplicates = sum(len(decode_log(each.value)[1].duplicates) for each in _logged(bootstrap, pipeline))
    assert len(decided) + len(dead) + duplicates == sent
    assert metrics["sluicegate_records_total"] == {"": sent}
    assert metrics["sluicegate_duplicates_total"] == {"": duplicates}
    reasons = Counter(dict(each.headers)["reason"].decode() for each in dead)
    assert metrics["sluicegate_dead_letters_total"] == reasons
    assert sum(metrics["sluicegate_decisions_total"].values()) == len(decided)
    assert metrics["sluicegate_latency_seconds_count"] == {"": sent}
    assert [msgspec.json.decode(each.value)["kind"] for each in alerts] == ["dead_letter_share"]


def _send_hostile(bootstrap: str, pipeline: Pipeline) -> int:
    key, sound = encoded(1)
    messages: list[tuple[bytes | None, bytes | None]] = [(key, body) for body in WHOLE]
    messages += [(odd, sound) for odd in KEYS]
    for place, name in enumerate([*event(0), *MORE_FIELDS]):
        for number, value in enumerate(HOSTILE_VALUES, 1_000 * (place + 1)):
            messages.append((encoded(number)[0], pieced(number, {name: value}, [(name, value)])))
    return _send(bootstrap, pipeline, messages)


def _send(bootstrap: str, pipeline: Pipeline, messages: list[tuple[bytes | None, bytes | None]]) -> int:
    producer = plain_producer(bootstrap)
    for key, value in messages:
        producer.produce(pipeline.topics.events, key=key, value=value)
    assert producer.flush(60) == 0
    return len(messages)


def _send_with_odd_headers(bootstrap: str, pipeline: Pipeline, folder: Path) -> int:
    """With a client that sends header names as they are."""
    where = ["-b", bootstrap, "-P", "-t", pipeline.topics.events, "-X", "partitioner=murmur2_random"]
    for number, header in enumerate(ODD_HEADERS):
        key, value = encoded(number, event_id=f"h{number}")
        file = folder / "body"
        file.write_bytes(value)
        command: list[str | bytes] = [kcat(), *where, "-k", key, "-H", header, os.fspath(file)]
        subprocess.run(command, check=True, timeout=60)
    return len(ODD_HEADERS)


def _settled(bootstrap: str, pipeline: Pipeline, sent: int) -> None:
    """Return when the feature log accounts for every record."""

    def accounted(seen: Seen) -> bool:
        found = [decode_log(record.value) for record in seen]
        others = sum(len(meta.duplicates) + len(meta.dead_letters) for _, meta in found)
        return sum(batch.num_rows for batch, _ in found) + others == sent

    read_until(bootstrap, [pipeline.topics.features], accounted)


def _metrics_of(port: int, sent: int) -> dict[str, dict[str, float]]:
    """The scorer's metrics once they count ``sent`` records: a step is visible before it is counted."""
    pause = threading.Event()
    for _ in range(600):
        found = _metrics(port)
        if found["sluicegate_records_total"][""] >= sent:
            return found
        pause.wait(0.05)
    pytest.fail(f"{sent} records were not counted within half a minute")


def _metrics(port: int) -> dict[str, dict[str, float]]:
    """Name -> value of its label -> figure."""
    found: dict[str, dict[str, float]] = {}
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})["".join(sample.labels.values())] = sample.value
    return found


def _logged(bootstrap: str, pipeline: Pipeline) -> Seen:
    return read_all(bootstrap, pipeline.topics.features)
