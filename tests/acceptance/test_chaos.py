"""What can go wrong, at random moments under load: nothing is lost or doubled, no feature is wrong.

``SLUICEGATE_CHAOS_ROUNDS`` (2) and ``SLUICEGATE_CHAOS_SEED`` (another every time) say how often and what.
"""

from __future__ import annotations

import os
import random
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.support.chaos import Chaos, Kafka
from tests.support.chaos_check import Verdict
from tests.support.chaos_load import Load
from tests.support.outcomes import counting_frauds
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

ROUNDS = int(os.environ.get("SLUICEGATE_CHAOS_ROUNDS") or 2)
SEED = os.environ.get("SLUICEGATE_CHAOS_SEED")
SERVING = {
    "serving": {
        "batch": {"max_events": 40},
        "session_timeout": "6s",
        "commit_patience": "10s",
        "snapshots": {"every": "1s", "keep": 2},
    }
}

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance, pytest.mark.timeout(900 + 200 * ROUNDS)]


@pytest.fixture(scope="module")
def kafka(
    tmp_path_factory: pytest.TempPathFactory, jar_cache: Path, request: pytest.FixtureRequest
) -> Iterator[Kafka]:
    """A broker of this file's own: it is stopped and killed."""
    request.getfixturevalue("apache_kafka")  # skips where there is none
    running = Kafka(tmp_path_factory.mktemp("chaos"), jar_cache)
    yield running
    running.stop()


def test_one_scorer_of_the_shipped_pipeline(kafka: Kafka, unique: str, tmp_path: Path) -> None:
    config, pipeline = private_pipeline(tmp_path, unique, **SERVING)
    _survives(kafka, config, pipeline, scorers=1)


def test_two_scorers_whose_features_count_outcomes(kafka: Kafka, unique: str, tmp_path: Path) -> None:
    config, pipeline = counting_frauds(tmp_path, unique, **SERVING)
    _survives(kafka, config, pipeline, scorers=2)


def test_two_scorers_without_transactions(kafka: Kafka, unique: str, tmp_path: Path) -> None:
    serving = {"serving": {**SERVING["serving"], "delivery": "at_least_once"}}
    config, pipeline = counting_frauds(tmp_path, unique, **serving)
    _survives(kafka, config, pipeline, scorers=2)


def _survives(kafka: Kafka, config: Path, pipeline: Pipeline, scorers: int) -> None:
    seed = SEED or str(secrets.randbelow(10**6))
    print(f"SLUICEGATE_CHAOS_SEED={seed} SLUICEGATE_CHAOS_ROUNDS={ROUNDS}")  # noqa: T201  (shown on failure)
    load = Load(kafka.bootstrap, pipeline, random.Random(seed))
    chaos = Chaos(kafka, config, pipeline, load, scorers, seed)
    try:
        chaos.run(ROUNDS)
        verdict = Verdict(kafka.bootstrap, pipeline)
        verdict.assert_everything_once(load.sent, at_least=pipeline.serving.delivery == "at_least_once")
        chaos.happened.append(f"{verdict.repeated} decided again")
        verdict.assert_in_order()
        verdict.assert_outcomes_once(load.told)
        verdict.assert_features_of_the_oracle()
        last = [messages[-1].meta for messages in verdict.log.values()]
        assert min(meta.release_epoch for meta in last) > 0
        assert min(meta.policy_offset for meta in last) >= 0
    finally:
        print("\n".join(chaos.happened))  # noqa: T201  (shown on failure)
