"""How the topics on Kafka compare with what the pipeline declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feature_store.errors import BrokerError
from streams.kafka import pipeline_topics, reader, start_offsets

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline


@dataclass(frozen=True)
class FoundTopic:
    """One declared topic; ``partitions`` is None where Kafka has none of that name."""

    name: str
    declared: int
    partitions: int | None

    @property
    def fits(self) -> bool:
        """Whether it is there with the declared number of partitions."""
        return self.partitions == self.declared

    @property
    def words(self) -> str:
        """What was found, for a person."""
        if self.partitions is None:
            return "missing; `sluicegate topics create` makes it"
        if not self.fits:
            return f"{self.partitions} partitions, but the pipeline file says {self.declared}"
        return f"{self.partitions} partitions"

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "topic": self.name, "declared": self.declared, "partitions": self.partitions, "fits": self.fits
        }  # fmt: skip


def found_topics(bootstrap: str, pipeline: Pipeline) -> list[FoundTopic]:
    """Every topic of ``pipeline`` as it is on Kafka. Raises BrokerError when Kafka does not answer."""
    consumer = reader(bootstrap)
    try:
        return [
            FoundTopic(spec.name, spec.partitions, _partitions(consumer, spec.name))
            for spec in pipeline_topics(pipeline)
        ]
    finally:
        consumer.close()


def _partitions(consumer: Any, topic: str) -> int | None:
    try:
        return len(start_offsets(consumer, topic))
    except BrokerError:
        return None
