"""Keeping reviews within what people can do: the margin of a review is looked at now and then, and moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.errors import SluicegateError
from streams.kafka import KafkaException
from training.keeper.review_demand import Scoring, review_demand, today
from training.keeper.worker import Worker
from training.policy.capacity import expected, is_off, least_margin, room_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.messages import Manifest
    from training.keeper.parts import Parts
    from training.keeper.policies import Policies

EVERY = 300_000_000
"""On the pipeline's clock (us): how often the store is asked."""
_PAUSE_S = 2.0
"""Between two looks at a clock that may run a thousand times as fast as ours."""

log = structlog.get_logger()


class ReviewCapacity(Worker):
    """Moves ``review_margin`` so that reviews fit ``decision.review_capacity``; has a thread of its own."""

    def __init__(self, parts: Parts, policies: Policies) -> None:
        super().__init__("review capacity")
        self._parts = parts
        self._policies = policies
        self._capacity = parts.pipeline.decision.review_capacity
        self._champion: Manifest | None = None
        self._looked = 0
        self._crowded = False

    def start(self) -> None:
        """Begin to look; without a capacity only take back a limit that an earlier one has left."""
        if self._capacity is not None:
            super().start()
        else:
            self._try(self._take_back)

    def look(self) -> bool:
        """Move the margin where reviews do not fit, or could be more; True where it was moved.

        Nothing is done without a champion: cold-start rules ask for reviews by themselves.
        """
        now, champion = self._parts.clock.now(), self._acting()
        if self._capacity is None or champion is None or now <= 0:
            return False
        self._looked = now
        document = self._policies.in_force().document
        with self._parts.store.cursor() as cursor:
            by = Scoring(document, champion)
            demand = review_demand(cursor, self._parts.pipeline, by, now)
            day = today(cursor, self._parts.pipeline, self._capacity, now)
        self._tell_crowd(demand.ruled, self._capacity)
        room, margin = room_of(demand, day), document.review_margin
        if not is_off(demand, room, margin):
            return False
        moved = least_margin(demand, room)
        self._policies.move_margin(
            moved,
            f"{self._capacity} reviews a day: rules ask for {demand.ruled:.0f}, the score for "
            f"{expected(demand, None):.0f}, of which {expected(demand, moved):.0f} fit; "
            f"{day.waiting:.0f} of today wait",
        )
        return True

    def _work(self) -> None:
        while not self._stop.wait(_PAUSE_S):
            self._try(self._look_when_due)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (SluicegateError, KafkaException) as error:
            log.warning("review_capacity_waits", error=str(error))

    def _look_when_due(self) -> None:
        release = self._parts.publisher.release()
        acting = release.champion if release else None
        known = self._champion.version if self._champion else None
        if acting != known or self._parts.clock.now() - self._looked >= EVERY:
            self.look()

    def _take_back(self) -> None:
        if self._policies.margin_is_ours():
            self._policies.move_margin(None, "decision.review_capacity is not declared any more")

    def _acting(self) -> Manifest | None:
        """The champion's manifest; asked of the topic, chunks and all, only when it is another one."""
        release = self._parts.publisher.release()
        version = release.champion if release else None
        if version is None:
            self._champion = None
        elif self._champion is None or self._champion.version != version:
            self._champion = self._parts.publisher.read().manifests.get(version)
        return self._champion

    def _tell_crowd(self, ruled: float, capacity: int) -> None:
        """Say it once when rules alone ask for more than fits: no margin can help then."""
        crowded, before = ruled > capacity, self._crowded
        self._crowded = crowded
        if crowded and not before:
            self._parts.alert(
                "reviews_exceed_capacity",
                f"rules and watch lists alone ask for {ruled:.0f} reviews a day, decision.review_capacity is "
                f"{capacity}",
                {"ruled": round(ruled), "capacity": capacity},
            )
