"""The ground of a contest: topics of payments of several lengths, and a model for everyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.models import TREES, job_artifact
from benchmarks.workload import payments
from streams.kafka import TopicSpec, ensure_topics, plain_producer
from tests.support.models import manifest_of
from training.publish import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from benchmarks.stage import Stage
    from benchmarks.workload import Payment

MODEL = "large"
_SERVE_EVERY = 1_000
_OWN = ("decisions", "features", "outcomes", "entity_outcomes", "dead_letters", "explanations")


class Field:
    """What contenders find on Kafka."""

    def __init__(self, on: Stage, trees: int = TREES) -> None:
        """Fit the model."""
        self.on = on
        self.bootstrap = on.broker.bootstrap
        self.partitions = on.pipeline.topics.partitions
        self._artifact = job_artifact(trees)
        self._filled: set[str] = set()

    @property
    def model(self) -> Path:
        """The model as a file."""
        path = self.on.folder / "model.txt"
        if not path.exists():
            path.write_bytes(self._artifact)
        return path

    def events(self, count: int) -> str:
        """A topic with the first ``count`` payments."""
        topic = f"events-{count}"
        if topic not in self._filled:
            self.topic(topic)
            fill(self.bootstrap, topic, payments(count))
            self._filled.add(topic)
        return topic

    def topic(self, name: str) -> str:
        """An empty topic."""
        ensure_topics(self.bootstrap, [TopicSpec(name, self.partitions)])
        return name

    def pipeline(self, tree: dict[str, Any], name: str, events: str) -> Stage:
        """The pipeline under a name of its own, reading ``events``, with the model acting.

        Raises ConfigError.
        """
        topics = {topic: f"{name}-{topic}" for topic in _OWN} | {"events": events}
        on = self.on.with_pipeline(tree | {"pipeline": name, "topics": topics})
        manifest = manifest_of(on.pipeline, MODEL, self._artifact)
        Publisher(self.bootstrap, on.pipeline, lambda: "2026-01-05T00:00:00Z").publish(
            manifest, self._artifact, why="benchmark"
        )
        return on


def fill(bootstrap: str, topic: str, payments: Iterable[Payment]) -> None:
    """Put events on a topic, partitioned by their key, as a producer without headers would."""
    producer = plain_producer(bootstrap, linger_ms=20, client_id="benchmark")
    for number, payment in enumerate(payments):
        while True:
            try:
                producer.produce(topic, payment.value, payment.key)
                break
            except BufferError:
                producer.poll(0.1)
        if number % _SERVE_EVERY == 0:
            producer.poll(0)
    producer.flush()
    producer.close()
