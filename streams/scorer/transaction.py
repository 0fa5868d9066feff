"""The commit of a step: decisions, feature log, dead letters and offsets as one Kafka transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import StateError
from streams.kafka import Aborted, Consumer, GroupTransactions, Producer
from streams.scorer.committed import to_offset
from streams.scorer.messages import LogOffsets, StepMessages
from streams.scorer.records import LogMessage

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.records import Position, StepResult


class Transactions(GroupTransactions):
    """Commits steps."""

    def __init__(self, producer: Producer, consumer: Consumer, pipeline: Pipeline) -> None:
        super().__init__(producer, consumer, pipeline.serving.commit_patience / 1e6)
        self._topics = pipeline.topics
        self._messages = StepMessages(producer, pipeline.topics)

    def commit(self, result: StepResult) -> dict[int, int]:
        """Make the step visible, all of it or nothing.

        Returns the offset of the last feature log message of each partition. Raises Aborted when
        nothing is visible and the step must be done again; AccessError where Kafka does not allow it;
        StateError or KafkaException when the process must end and recover.
        """
        logged = LogOffsets()
        offsets = [to_offset(self._topics.events, p, at) for p, at in result.positions.items()]
        self._commit(lambda: self._send(result, logged), offsets)
        if result.log:
            self._producer.poll(0)  # what was delivered is told here at the latest
        return logged.last

    def claim(self, records: dict[int, bytes], positions: dict[int, Position]) -> dict[int, int]:
        """Write the messages that make claims, and note their numbers in the group.

        Returns the offset of each. Raises as ``commit`` does, StateError instead of Aborted.
        """
        logged = LogOffsets()
        messages = [LogMessage(partition, record) for partition, record in records.items()]
        offsets = [to_offset(self._topics.events, p, at) for p, at in positions.items()]
        try:
            self._commit(lambda: self._messages.log(messages, logged.note), offsets)
        except Aborted as error:
            raise StateError(
                f"the group did not take the claim of this scorer: {error}; the process ends and a fresh one "
                "joins anew"
            ) from error
        self._producer.poll(0)
        return logged.last

    def stand(self, positions: dict[int, Position]) -> None:
        """The next step's transaction says where the group stands."""

    def turn(self) -> None:
        """Nothing waits between two steps."""

    def finish(self) -> None:
        """Nothing is left to be done: every step was committed."""

    def _send(self, result: StepResult, logged: LogOffsets) -> None:
        self._messages.decisions(result.decided)
        self._messages.forwarded(result.forwarded)
        self._messages.log(result.log, logged.note)
        self._messages.dead_letters(result.refused)
