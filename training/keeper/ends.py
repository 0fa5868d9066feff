"""Where the topics that are sunk end now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from streams.kafka import end_offsets, reader

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.progress import Offsets


class Ends:
    """Asks Kafka, from any thread."""

    def __init__(self, bootstrap: str, pipeline: Pipeline) -> None:
        topics = pipeline.topics
        self.topics = topics.features, topics.decisions, topics.outcomes
        self._one_at_a_time = threading.Lock()
        self._asking = reader(bootstrap)

    def __call__(self) -> Offsets:
        """(topic, partition) -> the end of what is committed. Raises BrokerError or KafkaException."""
        with self._one_at_a_time:
            return {
                (topic, partition): end
                for topic in self.topics
                for partition, end in end_offsets(self._asking, topic).items()
            }

    def close(self) -> None:
        """Leave Kafka; a question that waits for it in another thread keeps the client, or it would crash."""
        if self._one_at_a_time.acquire(blocking=False):
            try:
                self._asking.close()
            finally:
                self._one_at_a_time.release()
