"""Which partitions this scorer holds: taking over, handing over, never working on half a state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.errors import ConfigError, StateError
from streams.kafka import Consumer, TopicPartition, reader, stay
from streams.kafka.tail import partitions_of, watermarks
from streams.scorer.committed import committed_positions
from streams.scorer.recovery import restore

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.claiming import Claiming
    from streams.scorer.core import ScorerCore
    from streams.scorer.outcomes import OutcomeFeed
    from streams.scorer.records import Under
    from streams.scorer.snapshots import Snapshots

_log = structlog.get_logger()


class Partitions:
    """Rebalance callbacks. They run inside ``poll``, so never in the middle of a step."""

    def __init__(
        self,
        consumer: Consumer,
        core: ScorerCore,
        pipeline: Pipeline,
        bootstrap: str,
        outcomes: OutcomeFeed,
        snapshots: Snapshots,
        joined: Callable[[], None],
        heard_of: Callable[[Under], bool],
        claiming: Claiming,
        lost: Callable[[list[int]], None],
    ) -> None:
        """Tell what an assignment needs.

        ``joined`` is called in every one: the group has a new generation. ``heard_of`` returns when a release
        and a policy that a partition was decided under have been heard of here too. ``lost`` hears of
        partitions just before they are given up.
        """
        self._consumer = consumer
        self._core = core
        self._pipeline = pipeline
        self._bootstrap = bootstrap
        self._outcomes = outcomes
        self._snapshots = snapshots
        self._joined = joined
        self._heard_of = heard_of
        self._claiming = claiming
        self._lost = lost
        self._topic = pipeline.topics.events
        self.failure: BaseException | None = None
        """What went wrong in a callback; the loop raises it."""
        self._leaving = False

    def subscribe(self) -> None:
        """Join the group."""
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def keep_no_more(self) -> None:
        """What is assigned from here on is not taken: the process ends."""
        self._leaving = True

    def close(self) -> None:
        """End. The group keeps the place of this static member for whoever comes back to it."""
        self.keep_no_more()
        stay(self._consumer)

    def _on_assign(self, consumer: Consumer, gained: list[TopicPartition]) -> None:
        if self._leaving:
            return
        try:
            self._joined()
            committed = committed_positions(self._consumer, gained)
            starts = {p: self._start(p) for p in committed}
            for partition, position in committed.items():
                at = starts[partition] if position is None else position.events
                if not self._claiming.wanted(position):  # else the log says where to go on
                    self._refuse_deleted(partition, at, starts[partition])
                self._core.add_partition(partition, at)
            self._refuse_half_a_state()
            shelf = self._snapshots.shelf
            restored = restore(
                self._core, self._pipeline, self._bootstrap, consumer, committed, shelf, self._claiming
            )
            for partition, first in starts.items():
                self._refuse_deleted(partition, self._core.positions[partition], first)
            self._snapshots.restored(restored.ends, restored.snapshots)
            if not self._heard_of(restored.under):
                _log.warning("release_not_heard_of", **restored.under._asdict())
            known = self._core.outcomes
            self._outcomes.assign({partition: known[partition].offset for partition in starts})
            starts = {p: self._core.positions[p] for p in starts}
            consumer.incremental_assign([TopicPartition(self._topic, p, o) for p, o in starts.items()])
            self._claiming.taken_over(self._core, committed)
            if starts:
                _log.info("partitions_gained", partitions=sorted(starts), replayed=restored.events)
        except BaseException as error:  # noqa: BLE001  (none may pass through the client's C code)
            self.failure = error

    def _on_revoke(self, consumer: Consumer, lost: list[TopicPartition]) -> None:
        """Hand partitions over: the next owner finds their state where it was left."""
        try:
            if not self._leaving:
                self._snapshots.hand_over([tp.partition for tp in lost])
            self._claiming.handing_over(self._core, [tp.partition for tp in lost])
        except BaseException as error:  # noqa: BLE001  (none may pass through the client's C code)
            self.failure = error
        self._on_lost(consumer, lost)

    def _on_lost(self, consumer: Consumer, lost: list[TopicPartition]) -> None:
        """Partitions are somebody else's by now."""
        self._lost([tp.partition for tp in lost])
        for tp in lost:
            self._core.drop_partition(tp.partition)
        self._outcomes.drop([tp.partition for tp in lost])
        self._snapshots.forget([tp.partition for tp in lost])
        if self._pipeline.global_features and lost and self._core.positions:
            self.failure = self._half_a_state()
        if lost:
            consumer.incremental_unassign(lost)
            _log.info("partitions_lost", partitions=sorted(tp.partition for tp in lost))

    def _start(self, partition: int) -> int:
        """The first event that is kept."""
        return watermarks(self._consumer, self._topic, partition)[0]

    def _refuse_deleted(self, partition: int, position: int, first: int) -> None:
        if position < first:
            raise StateError(
                f"{self._topic}/{partition}: events from offset {position} to {first} were deleted "
                "before they were decided. Keep events longer, or reset the group if their loss is acceptable"
            )

    def _refuse_half_a_state(self) -> None:
        if self._pipeline.global_features and set(self._core.positions) != self._whole():
            raise self._half_a_state()

    def _whole(self) -> set[int]:
        """All partitions. A client that is asked for its topics inside a callback of its own aborts the
        process in the next callback (confluent-kafka 2.16): another one is asked.
        """
        other = reader(self._bootstrap)
        try:
            return set(partitions_of(other, self._topic))
        finally:
            other.close()

    def _half_a_state(self) -> ConfigError:
        names = ", ".join(feature.name for feature in self._pipeline.global_features[:3])
        return ConfigError(
            f"features.windows: {names} count for an entity that does not contain the partition key "
            f"{self._pipeline.event.key!r}, so one scorer must hold all partitions of {self._topic!r}; run a "
            "single scorer, or add the key to the entity"
        )
