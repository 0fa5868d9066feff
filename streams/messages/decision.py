"""The decision: an event, what is done with it, and the evidence."""

from __future__ import annotations

from typing import Any

import msgspec


class Source(msgspec.Struct, frozen=True):
    """Where the event stands on Kafka."""

    topic: str
    partition: int
    offset: int


class Reason(msgspec.Struct, frozen=True):
    """One feature's part in a score, and by which method it was found."""

    feature: str
    value: float | str | None
    contribution: float
    text: str
    method: str


class Amended(msgspec.Struct, frozen=True):
    """The decision that another one takes the place of: where it stands on Kafka, and when it was made."""

    topic: str
    partition: int
    offset: int
    decided_at: str


class Decision(msgspec.Struct, frozen=True):
    """The message on the decisions topic.

    ``policy_action`` is what model and rules decided; ``action`` differs from it only where the control group
    lets an event through. ``propensity`` is the probability with which the event was let through: 1.0
    where the policy approved it, the control group's rate where it did not, 0.0 where it is on a deny list.
    ``score`` is a calibrated probability, None exactly where ``fallback`` says why there is none
    (``streams.scorer.scoring`` has the words). ``late``: the event came later than ``features.lateness``, so
    its windows may have been cut short. ``queue`` is there only where the policy's rule that stopped the
    event names a review queue. ``amends`` is there only where
    ``features.late`` is ``amend`` and whole windows gave other features: it names the one decision about the
    same event that this one takes the place of. ``origin`` is there only where the pipeline is staged:
    where the event itself stands, while ``source`` is what the stage before has sent on.
    """

    event_id: str
    event_time: str
    decided_at: str
    event: dict[str, Any]
    action: str
    policy_action: str
    propensity: float
    score: float | None
    model: str | None
    reasons: list[Reason]
    rules: list[str]
    fallback: str | None
    shadow: dict[str, float]
    release: int
    source: Source
    late: bool = False
    amends: Amended | msgspec.UnsetType = msgspec.UNSET
    queue: str | msgspec.UnsetType = msgspec.UNSET
    origin: Source | msgspec.UnsetType = msgspec.UNSET
