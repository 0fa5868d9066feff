"""The commit of a turn: explanations and the offsets of the feature log, as one Kafka transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.kafka import Consumer, GroupTransactions, Headers, Producer, TopicPartition, send

if TYPE_CHECKING:
    from feature_store.declaration.topics import TopicNames
    from streams.explainer.explain import Explained


class ExplanationWriter(GroupTransactions):
    """Commits turns."""

    def __init__(self, producer: Producer, consumer: Consumer, topics: TopicNames, patience_s: float) -> None:
        super().__init__(producer, consumer, patience_s)
        self._topics = topics

    def commit(self, explained: list[Explained], positions: dict[int, int]) -> None:
        """Write ``explained`` and move to ``positions`` of the feature log.

        Raises Aborted when nothing is visible and the turn must be done again; AccessError where Kafka
        does not allow it; StateError or KafkaException when the process must end and begin anew.
        """
        offsets = [TopicPartition(self._topics.features, p, at) for p, at in positions.items()]
        self._commit(lambda: self._send(explained), offsets)

    def _send(self, explained: list[Explained]) -> None:
        for each in explained:
            headers: Headers = [("event_id", each.event_id.encode()), ("model", each.model.encode())]
            headers += each.trace
            topic = self._topics.explanations
            send(self._producer, topic, each.message, each.key, headers, each.partition)
