"""A rare class and a long history brought to size, without moving what the weights stand for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from training.dataset.events import LabelledEvents


def sampled(events: LabelledEvents, legitimate: float) -> LabelledEvents:
    """All frauds and this share of the legitimate events, each of which stands for 1 / share of them.

    Which ones is decided by each event's own draw, so that an event stays in or out from night to night.
    """
    if legitimate >= 1:
        return events
    kept = events.where(events.fraud | (events.draw < legitimate))
    return replace(kept, weight=np.where(kept.fraud, kept.weight, kept.weight / legitimate))


def balancing_weight(events: LabelledEvents) -> float:
    """What a fraud must weigh so that all frauds weigh as much as all others; 1 without one of the kinds."""
    frauds = float(events.weight[events.fraud].sum())
    others = float(events.weight[~events.fraud].sum())
    return others / frauds if frauds and others else 1.0


def weighing_frauds(events: LabelledEvents, factor: float) -> LabelledEvents:
    """The same events, a fraud weighing ``factor`` times as much."""
    if factor == 1:
        return events
    return replace(events, weight=np.where(events.fraud, events.weight * factor, events.weight))
