"""The outcome: the truth about an event, later."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Label(StrEnum):
    """What an event turned out to be."""

    FRAUD = "fraud"
    LEGITIMATE = "legitimate"


class Outcome(msgspec.Struct, frozen=True):
    """The message on the outcomes topic; a later one from the same source replaces.

    ``observed_at`` is RFC 3339 with a UTC offset: when the source came to know it.
    """

    event_id: str
    label: Label
    observed_at: str
    source: str
