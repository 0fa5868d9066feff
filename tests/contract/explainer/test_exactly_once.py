"""Every stopped event is explained once, whatever becomes of explainers; on both brokers."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

import msgspec
import pytest

from streams.explainer.last import last_explained
from streams.explainer.loop import ExplainerLoop
from streams.explainer.models import Models
from streams.explainer.transaction import ExplanationWriter
from streams.kafka import (
    TopicPartition,
    end_offsets,
    group_consumer,
    plain_producer,
    read_to_end,
    transactional_producer,
)
from streams.messages.explanation import Explanation
from streams.messages.model import artifact_key, manifest_key
from streams.metrics import ExplainerMetrics
from tests.support.handing import HandedOverWithin
from tests.support.kafka import feed_of, read_until
from tests.support.payments import private_pipeline
from tests.support.processes import explainer
from tests.support.scored import fitted, publish_model, scored_log, vectors, write_logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.explainer.explain import Explained
    from streams.kafka import Consumer

BROKERS = [pytest.param("apache_kafka", marks=pytest.mark.kafka), "embedded_broker"]
ACTIONS = ["approve", "review", "approve", "decline"]


@pytest.fixture(params=BROKERS)
def bootstrap(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param).bootstrap)


@pytest.fixture
def started(bootstrap: str, tmp_path: Path, unique: str) -> tuple[Path, Pipeline]:
    config, pipeline = private_pipeline(tmp_path, unique)
    feed_of(pipeline, bootstrap)
    return config, pipeline


def write(pipeline: Pipeline, bootstrap: str, version: str, messages: int, first: int = 0) -> set[str]:
    """Log messages of eight payments, in turn on every partition; returns the ids of those stopped."""
    model = fitted(pipeline, version)
    publish_model(pipeline, bootstrap, model)
    logs, stopped = [], set()
    for number in range(messages):
        at, partition = first + 8 * number, number % pipeline.topics.partitions
        logs.append(
            (partition, scored_log(pipeline, model, partition, at, vectors(pipeline, 8), actions=ACTIONS))
        )
        stopped |= {f"e{at + row}" for row in (1, 3, 5, 7)}
    write_logs(pipeline, bootstrap, logs)
    return stopped


def ids(records: list[Any]) -> list[str]:
    return [msgspec.json.decode(record.value, type=Explanation).event_id for record in records]


def more_than(count: int) -> Callable[[list[Any]], bool]:
    return lambda seen: len(seen) > count


class Run:
    """An explainer in a thread."""

    def __init__(
        self,
        pipeline: Pipeline,
        bootstrap: str,
        writer: type[ExplanationWriter],
        slot: int = 0,
        group: str = "",
    ) -> None:
        identity = f"sluicegate.{group or pipeline.name}.explainer"
        consumer = group_consumer(bootstrap, identity, session_timeout_ms=6_000, end_events=True)
        self.handing = HandedOverWithin(consumer, bootstrap, identity, [pipeline.topics.features])
        self.consumer = cast("Consumer", self.handing)
        producer = transactional_producer(bootstrap, f"{identity}.{slot}")
        self.models = Models(bootstrap, pipeline)
        made = writer(producer, self.consumer, pipeline.topics, 30)
        last = partial(last_explained, bootstrap, self.consumer, pipeline.topics.explanations)
        self.loop = ExplainerLoop(
            pipeline, self.consumer, made, self.models, last, ExplainerMetrics(pipeline.name, 0)
        )
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.loop.run(self.stop)
        except BaseException as error:  # noqa: BLE001  (told to the test)
            self.failure = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join()
        self.models.close()

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


class Dying(ExplanationWriter):
    """Writes everything, then dies before the commit."""

    def commit(self, explained: list[Explained], positions: dict[int, int]) -> None:
        self._producer.begin_transaction()
        self._send(explained)
        self._producer.flush(30)
        raise InterruptedError(f"died with {len(explained)} explanations and {positions}")


def test_nothing_of_a_turn_that_died_is_seen_and_the_next_does_it_again(
    bootstrap: str, started: tuple[Path, Pipeline]
) -> None:
    _, pipeline = started
    stopped = write(pipeline, bootstrap, "m-1", 12)
    with Run(pipeline, bootstrap, Dying) as dying:
        dying.join()
    assert isinstance(dying.failure, InterruptedError)
    assert list(read_to_end(bootstrap, pipeline.topics.explanations)) == []
    with Run(pipeline, bootstrap, ExplanationWriter) as run:
        seen = read_until(bootstrap, [pipeline.topics.explanations], lambda seen: len(seen) >= len(stopped))
    assert run.failure is None
    assert sorted(ids(seen)) == sorted(stopped)
    for record in seen:
        told = msgspec.json.decode(record.value, type=Explanation)
        assert record.partition == told.source.partition
        assert dict(record.headers) == {"event_id": told.event_id.encode(), "model": b"m-1"}


def test_a_version_that_is_gone_is_skipped_and_a_new_one_is_found(
    bootstrap: str, started: tuple[Path, Pipeline]
) -> None:
    _, pipeline = started
    write(pipeline, bootstrap, "m-1", 4)
    producer = plain_producer(bootstrap)
    for key in (artifact_key("m-1", 0), manifest_key(pipeline.name, "m-1")):
        producer.produce(pipeline.topics.models, key=key, value=None, partition=0)
    assert producer.flush(30) == 0
    second = write(pipeline, bootstrap, "m-2", 4, first=100)
    with Run(pipeline, bootstrap, ExplanationWriter) as run:
        seen = read_until(bootstrap, [pipeline.topics.explanations], lambda seen: len(seen) >= len(second))
        third = write(pipeline, bootstrap, "m-3", 4, first=200)
        enough = len(second) + len(third)
        seen = read_until(bootstrap, [pipeline.topics.explanations], lambda seen: len(seen) >= enough)
    assert run.failure is None
    assert sorted(ids(seen)) == sorted(second | third)
    assert run.loop.skipped == 16


def test_what_is_no_log_message_is_passed_over(bootstrap: str, started: tuple[Path, Pipeline]) -> None:
    _, pipeline = started
    write_logs(pipeline, bootstrap, [(0, b"{}")])
    stopped = write(pipeline, bootstrap, "m-1", 1)
    with Run(pipeline, bootstrap, ExplanationWriter) as run:
        seen = read_until(bootstrap, [pipeline.topics.explanations], lambda seen: len(seen) >= len(stopped))
    assert run.failure is None
    assert sorted(ids(seen)) == sorted(stopped)


def test_a_group_whose_offsets_expired_explains_nothing_twice(
    bootstrap: str, started: tuple[Path, Pipeline]
) -> None:
    _, pipeline = started
    topic = pipeline.topics.explanations
    stopped = write(pipeline, bootstrap, "m-1", 12)
    with Run(pipeline, bootstrap, ExplanationWriter):
        read_until(bootstrap, [topic], more_than(len(stopped) - 1))
    more = write(pipeline, bootstrap, "m-2", 12, first=1_000)
    with Run(pipeline, bootstrap, ExplanationWriter, group=f"{pipeline.name}-without-offsets") as run:
        seen = read_until(bootstrap, [topic], more_than(len(stopped | more) - 1))
    assert run.failure is None
    assert run.loop.explained == len(more)
    assert sorted(ids(seen)) == sorted(stopped | more)


def test_explainers_come_and_go(bootstrap: str, started: tuple[Path, Pipeline]) -> None:
    _, pipeline = started
    topic = pipeline.topics.explanations
    stopped = write(pipeline, bootstrap, "m-1", 40)
    with Run(pipeline, bootstrap, ExplanationWriter) as first:
        read_until(bootstrap, [topic], more_than(50))
        with Run(pipeline, bootstrap, ExplanationWriter, slot=1) as second:
            at = 1_000
            while not second.loop.explained:  # until the group has given it a partition
                stopped |= write(pipeline, bootstrap, f"m-{at}", 8, first=at)
                at += 100
                read_until(bootstrap, [topic], more_than(len(stopped) - 1))
        stopped |= write(pipeline, bootstrap, "m-2", 8, first=at)
        seen = read_until(bootstrap, [topic], more_than(len(stopped) - 1))
    assert first.failure is None
    assert second.failure is None
    assert sorted(ids(seen)) == sorted(stopped)


def test_partitions_that_are_lost_and_regained_while_it_reads_are_explained_once(
    bootstrap: str, started: tuple[Path, Pipeline]
) -> None:
    _, pipeline = started
    stopped = write(pipeline, bootstrap, "m-1", 40)
    run = Run(pipeline, bootstrap, ExplanationWriter)
    run.handing.arm()
    with run:
        read_until(bootstrap, [pipeline.topics.explanations], more_than(len(stopped) - 1))
        stopped |= write(pipeline, bootstrap, "m-2", 8, first=1_000)
        seen = read_until(bootstrap, [pipeline.topics.explanations], more_than(len(stopped) - 1))
    assert run.failure is None
    assert run.handing.handed_over > 0
    assert sorted(ids(seen)) == sorted(stopped)


def test_what_counts_nowhere_is_passed_for_good(bootstrap: str, started: tuple[Path, Pipeline]) -> None:
    _, pipeline = started
    topic = pipeline.topics.features
    scorer = transactional_producer(bootstrap, f"{pipeline.name}.scorer")
    scorer.init_transactions(30)
    scorer.begin_transaction()
    scorer.produce(topic, b"of a step that is given up", partition=0)
    assert scorer.flush(30) == 0
    scorer.abort_transaction(30)
    group = group_consumer(bootstrap, f"sluicegate.{pipeline.name}.explainer")
    end = end_offsets(group, topic)[0]
    assert end > 0
    with Run(pipeline, bootstrap, ExplanationWriter) as run:
        while group.committed([TopicPartition(topic, 0)], timeout=30)[0].offset != end:
            assert run.failure is None
    group.close()
    assert run.loop.explained == 0


@pytest.mark.acceptance
def test_killed_processes_leave_each_event_explained_once(
    bootstrap: str, started: tuple[Path, Pipeline]
) -> None:
    config, pipeline = started
    stopped = write(pipeline, bootstrap, "m-1", 300)
    topic = pipeline.topics.explanations
    for enough in (10, 200):
        with explainer(config, bootstrap) as process:
            read_until(bootstrap, [topic], more_than(enough))
            process.kill()
    stopped |= write(pipeline, bootstrap, "m-2", 20, first=10_000)  # only the third can explain these
    with explainer(config, bootstrap) as process:
        seen = read_until(bootstrap, [topic], lambda seen: len(seen) >= len(stopped))
        process.terminate()
        assert process.wait(60) == 0
    assert len(list(read_to_end(bootstrap, topic))) == len(seen)
    assert sorted(ids(seen)) == sorted(stopped)
