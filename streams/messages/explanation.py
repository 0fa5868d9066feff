"""The explanation: exact reasons of one decision, after it."""

from __future__ import annotations

import msgspec

from streams.messages.decision import Reason, Source


class Explanation(msgspec.Struct, frozen=True):
    """The message on the explanations topic; key and partition are those of the decision.

    ``base`` is the margin that ``model`` expects without knowing the event; with the contribution of every
    reason it makes ``margin``, the log-odds before calibration, but for rounding. ``reasons`` are in order of
    their weight; a feature that contributes nothing is none. ``source`` is where the event stands.
    """

    event_id: str
    event_time: str
    model: str
    base: float
    margin: float
    reasons: list[Reason]
    source: Source
