"""What came of computing a decision's score once more."""

from __future__ import annotations

import msgspec

from streams.messages import Reason

SCORELESS = "no model scored it, so there is no score to reproduce"


class Reproduced(msgspec.Struct, frozen=True):
    """The outcome. ``equal`` None: it could not be reproduced, ``why`` says why.

    ``base`` and ``reasons`` are exact TreeSHAP: together they make the margin, but for rounding.
    """

    equal: bool | None
    why: str | None = None
    margin: float | None = None
    score: float | None = None
    base: float | None = None
    reasons: list[Reason] = []
