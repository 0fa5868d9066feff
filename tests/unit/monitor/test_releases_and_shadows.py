"""What acts, read from the models topic, and what shadows say, read from the decisions."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from feature_store.declaration.monitoring import AgreementSpec
from feature_store.errors import BrokerError
from streams.kafka import ensure_topics, pipeline_topics, plain_producer
from streams.messages import Manifest, Release
from streams.messages.model import ScoreBins, artifact_key, manifest_key, release_key
from streams.monitor.agreement import Agreement
from streams.monitor.releases import Acting, Releases
from streams.monitor.shadowed import Shadowed
from tests.support.manifests import bare_manifest
from tests.support.payments import private_pipeline
from tests.unit.keeper.written import until

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker
    from streams.kafka import Message, Producer


BINS = ScoreBins([0.5], [0.9, 0.1])


@pytest.fixture
def pipeline(embedded_broker: Broker, unique: str, tmp_path: Path) -> Pipeline:
    _, pipeline = private_pipeline(tmp_path, unique)
    ensure_topics(embedded_broker.bootstrap, pipeline_topics(pipeline))
    return pipeline


@pytest.fixture
def producer(embedded_broker: Broker) -> Producer:
    return plain_producer(embedded_broker.bootstrap)


def _manifest(pipeline: Pipeline, version: str) -> Manifest:
    return bare_manifest(version, pipeline.name, score_bins=BINS)


def _release(producer: Producer, pipeline: Pipeline, release: Release) -> None:
    key = release_key(pipeline.name)
    producer.produce(pipeline.topics.models, msgspec.json.encode(release), key)
    producer.flush(30)


def _pause() -> None:
    threading.Event().wait(0.02)


def test_what_acts_is_followed_and_what_is_malformed_is_passed_over(
    embedded_broker: Broker, pipeline: Pipeline, producer: Producer
) -> None:
    topic = pipeline.topics.models
    producer.produce(topic, b"trees", artifact_key("v2", 0))
    for version in ("v1", "v2"):
        producer.produce(
            topic, msgspec.json.encode(_manifest(pipeline, version)), manifest_key(pipeline.name, version)
        )
    producer.produce(topic, b"{", manifest_key(pipeline.name, "v3"))
    first = Release(1, "v2", "", "v0 is kept no more", shadows=["v9"], previous="v1", earlier=["v0"])
    _release(producer, pipeline, first)
    releases = Releases(embedded_broker.bootstrap, pipeline)
    releases.start()
    acting = releases.acting
    assert (acting.epoch, acting.shadows, acting.line) == (1, ("v9",), {"v2": BINS, "v1": BINS})
    assert acting.champion == _manifest(pipeline, "v2")
    _release(producer, pipeline, Release(2, "v9", "", "back", previous="v2", canary="v1", withdrawn="v2"))
    until(lambda: releases.acting.epoch == 2, _pause)
    assert releases.acting.line == {"v1": BINS}
    _release(producer, pipeline, Release(3, "v3", "", "its manifest cannot be read"))
    until(lambda: releases.acting.epoch == 3, _pause)
    assert releases.acting.champion is None
    releases.stop()
    assert releases.failure is None


def test_decisions_are_read_while_there_are_shadows(
    embedded_broker: Broker, pipeline: Pipeline, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)

    def decided(count: int) -> None:
        for score in random.random(count).tolist():
            decision = {
                "model": "v1",
                "policy_action": "review" if score > 0.9 else "approve",
                "score": score,
                "shadow": {"v2": score / 2},
            }
            producer.produce(pipeline.topics.decisions, msgspec.json.encode(decision), str(score).encode())
        producer.produce(pipeline.topics.decisions, b"not a decision")
        producer.produce(
            pipeline.topics.decisions,
            msgspec.json.encode({"model": None, "policy_action": "review", "score": None, "shadow": {}}),
        )
        producer.flush(30)

    def events() -> int:
        return sum(int(str(told["events"])) for told in shadowed.status())

    shadowed = Shadowed(embedded_broker.bootstrap, pipeline, Agreement(AgreementSpec(least=50)))
    shadowed.start()
    decided(1_000)
    champion = _manifest(pipeline, "v1")
    shadowed.under(Acting(1, champion, ("v2",)))
    until(lambda: events() == 1_000, _pause)
    (told,) = shadowed.status()
    assert (told["overlap"], told["state"], told["champion"]) == (1.0, "good", "v1")
    decided(200)
    until(lambda: events() == 1_200, _pause)
    count, failures = shadowed._count, [BrokerError("gone")]

    def gone_once(messages: list[Message]) -> None:
        if failures:
            raise failures.pop()
        count(messages)

    monkeypatch.setattr("streams.monitor.shadowed._AGAIN_S", 0.01)
    monkeypatch.setattr(shadowed, "_count", gone_once)
    decided(100)
    until(lambda: events() == 1_300 and not failures, _pause)  # all read again, none counted twice
    shadowed.under(Acting(2, champion))
    assert shadowed.status() == []
    shadowed.stop()
