"""Stages on a real Kafka: scorers are killed, nothing is lost or doubled, no feature is wrong.

One scorer without stages decides the same events beside them: what the partition key determines is the same
in both, so that one may take the other's place.
"""

from __future__ import annotations

import random
import secrets
import signal
from collections import Counter
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.log import decode_whole_log
from streams.kafka import ensure_topics, pipeline_topics
from tests.support.chaos_load import PATIENCE_S, Load
from tests.support.kafka import Seen, read_all, read_until
from tests.support.models import small_model
from tests.support.processes import scorer
from tests.support.staged import differences, order_of, staged_pipeline, unstaged_beside
from training.publish import Publisher

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]

SERVING = {
    "serving": {
        "batch": {"max_events": 40},
        "session_timeout": "6s",
        "snapshots": {"every": "1s", "keep": 2},
    }
}


class Workers:
    """Scorers of all stages; a killed one comes back."""

    def __init__(self, config: Path, bootstrap: str, stack: ExitStack) -> None:
        self._config, self._bootstrap, self._stack = config, bootstrap, stack
        self.running: dict[tuple[int, int], Popen[bytes]] = {}

    def start(self, stage: int, slot: int) -> None:
        begun = scorer(self._config, self._bootstrap, slot, stage)
        self.running[stage, slot] = self._stack.enter_context(begun)

    def kill(self, stage: int, slot: int) -> None:
        process = self.running.pop((stage, slot))
        process.kill()
        process.wait(60)

    def stop(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        assert [process.wait(60) for process in self.running.values()] == [0] * len(self.running)

    def look_after(self) -> None:
        """None may end."""
        for (stage, slot), process in self.running.items():
            log = self._config.parent / f"stage-{stage}-{slot}.log"
            assert process.poll() is None, log.read_text()[-3_000:]


def test_scorers_of_every_stage_are_killed(apache_kafka: Broker, unique: str, tmp_path: Path) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")  # noqa: T201  (shown on failure)
    luck = random.Random(seed)
    config, pipeline = staged_pipeline(tmp_path, unique, **SERVING)
    old_config, old = unstaged_beside(tmp_path / "old", f"{unique}-old", pipeline.topics.events)
    load = Load(apache_kafka.bootstrap, pipeline, luck)
    ensure_topics(apache_kafka.bootstrap, pipeline_topics(old))
    Publisher(apache_kafka.bootstrap, pipeline, lambda: "2026-01-05T00:00:00Z").publish(
        *small_model(pipeline, "m0", seed=0), why="a test"
    )
    with ExitStack() as stack:
        stack.enter_context(scorer(old_config, apache_kafka.bootstrap))
        workers = Workers(config, apache_kafka.bootstrap, stack)
        places = [(0, 0), (1, 0), (2, 0), (2, 1)]
        for place in places:
            workers.start(*place)
        load.more(100, workers.look_after)
        for stage, slot in luck.sample(places, 2):
            load.tell_outcomes(30)
            workers.kill(stage, slot)
            load.offer(50)
            workers.start(stage, slot)
            load.more(100, workers.look_after)
        _until_told(apache_kafka.bootstrap, pipeline, load, workers)
        load.more(200, workers.look_after)
        load.rest(workers.look_after)
        workers.stop()
        decided = [old.topics.decisions]
        read_until(apache_kafka.bootstrap, decided, lambda seen: len(seen) >= load.to_decide, PATIENCE_S)
    _assert_everything_once(apache_kafka.bootstrap, pipeline, load)
    _assert_same_where_the_key_determines(apache_kafka.bootstrap, pipeline, old)


def _until_told(bootstrap: str, pipeline: Pipeline, load: Load, workers: Workers) -> None:
    """Return when every stage has applied the outcomes that it was sent, and counts what comes with them."""
    topics = pipeline.topics
    waited_for = {topics.log_of(stage): load.told_on[topics.outcomes_of(stage)] for stage in pipeline.stages}

    def enough(seen: Seen) -> bool:
        workers.look_after()
        found: dict[str, set[int]] = {topic: set() for topic in waited_for}
        for each in seen:
            _, _, learned = decode_whole_log(each.value)
            deltas = learned.to_pylist() if learned is not None else []
            found[each.topic].update(delta["route_seq"] for delta in deltas)
        return found == waited_for

    read_until(bootstrap, list(waited_for), enough, PATIENCE_S)


def _assert_everything_once(bootstrap: str, pipeline: Pipeline, load: Load) -> None:
    topics = pipeline.topics
    decided = Counter(
        (found["origin"]["partition"], found["origin"]["offset"])
        for found in (msgspec.json.decode(each.value) for each in read_all(bootstrap, topics.decisions))
    )
    first = [decode_whole_log(each.value) for each in read_all(bootstrap, topics.log_of(pipeline.stages[0]))]
    assert max(decided.values()) == 1
    accepted = {(meta.partition, row["source_offset"]) for rows, meta, _ in first for row in rows.to_pylist()}
    accounted = Counter(accepted)
    for _, meta, _ in first:
        accounted.update((meta.partition, each) for each in (*meta.duplicates, *meta.dead_letters))
    sent = {(event.partition, event.offset) for event in read_all(bootstrap, topics.events)}
    assert len(sent) == load.sent
    assert accounted == Counter(sent)
    assert len(accepted) == sum(rows.num_rows for rows, _, _ in first)
    assert set(decided) == accepted
    logged, _ = _logged(bootstrap, pipeline.deciding)
    deltas = {order_of(stage): _logged(bootstrap, pipeline.at(stage))[1] for stage in pipeline.stages}
    assert Counter((row["origin_partition"], row["origin_offset"]) for row in logged) == decided
    wrong = list(islice(differences(pipeline, logged, deltas), 5))
    assert not wrong, "\n".join(wrong)
    for entity in ("customer_id", "device_id_country", "terminal_id"):
        assert any(
            value for row in logged for name, value in row.items() if name.startswith(f"{entity}_frauds")
        )


def _assert_same_where_the_key_determines(bootstrap: str, pipeline: Pipeline, old: Pipeline) -> None:
    windows = old.features.window_features()
    names = [f.name for f in windows if old.follows_key(f) and not f.aggregate.of_outcomes]
    before, _ = _logged(bootstrap, old)
    now, _ = _logged(bootstrap, pipeline)
    expected = {(row["source_partition"], row["source_offset"]): [row[n] for n in names] for row in before}
    found = {(row["origin_partition"], row["origin_offset"]): [row[n] for n in names] for row in now}
    assert len(names) > 5
    assert found == expected


def _logged(bootstrap: str, pipeline: Pipeline) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    deltas: list[dict[str, Any]] = []
    for each in read_all(bootstrap, pipeline.topics.features):
        batch, _, learned = decode_whole_log(each.value)
        rows += batch.to_pylist()
        deltas += learned.to_pylist() if learned is not None else []
    return rows, deltas
