"""What is done with a payment, for engines that leave it to the user: plain Python, LightGBM's own predictor.

State is lists of plain numbers, so that every engine can keep it where it keeps state. Nothing here is
imported from Sluicegate: a peer's environment holds the peer, LightGBM and msgspec.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import lightgbm
import msgspec
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

State = list[list[int]]
"""Of one entity: times (ms), amounts (cents); per window where it begins in them, and its sum."""

_DAY = 86_400_000
LENGTHS = (60_000, 3_600_000, _DAY, 7 * _DAY, 30 * _DAY)
_LAST = 4
_REVIEW, _FALSE_DECLINE = 4.0, 15.0
_ACTIONS = ("approve", "review", "decline")


class Payment(msgspec.Struct):
    """What is needed of an event."""

    event_id: str
    event_time: datetime
    customer_id: str
    terminal_id: str
    merchant_category: str
    amount: float
    country: str

    @property
    def at(self) -> int:
        """The event's time in ms since 1970."""
        return round(self.event_time.timestamp() * 1_000)

    @property
    def cents(self) -> int:
        """The amount without a point."""
        return round(self.amount * 100)


decode = msgspec.json.Decoder(Payment).decode
"""A payment as it comes from Kafka."""
encode = msgspec.json.Encoder().encode
"""A decision as it goes to Kafka."""


def from_json(event: dict[str, Any]) -> Payment:
    """A payment whose JSON the engine has decoded."""
    return msgspec.convert(event, Payment)


def new_state() -> State:
    """Of an entity not seen before."""
    return [[], [], [0] * len(LENGTHS), [0] * len(LENGTHS)]


def observe(state: State, at: int, cents: int) -> list[float]:
    """The 20 features of one entity; the payment counts for those after it."""
    times, amounts, starts, sums = state
    seen = len(times)
    found: list[float] = []
    for window, length in enumerate(LENGTHS):
        start, total, border = starts[window], sums[window], at - length
        while start < seen and times[start] <= border:
            total -= amounts[start]
            start += 1
        starts[window], sums[window] = start, total + cents
        inside = seen - start
        found += (inside, total / 100, total / (inside * 100) if inside else math.nan)
    inside = seen - starts[-1]
    found += [amounts[-k] / 100 if inside >= k else math.nan for k in range(1, _LAST + 1)]
    found.append((at - times[-1]) / 1_000 if inside else math.nan)
    times.append(at)
    amounts.append(cents)
    _forget(state)
    return found


def _forget(state: State) -> None:
    """Drop what is in no window; the longest comes last."""
    gone = state[2][-1]
    if gone:
        del state[0][:gone]
        del state[1][:gone]
        state[2] = [start - gone for start in state[2]]


class Customer:
    """The windows of a customer, and of the customer at each terminal."""

    __slots__ = ("own", "terminals")

    def __init__(self) -> None:
        self.own = new_state()
        self.terminals: dict[str, State] = {}

    def observe(self, payment: Payment) -> list[float]:
        """All 40 features."""
        at_terminal = self.terminals.get(payment.terminal_id)
        if at_terminal is None:
            at_terminal = self.terminals[payment.terminal_id] = new_state()
        at, cents = payment.at, payment.cents
        return observe(self.own, at, cents) + observe(at_terminal, at, cents)


class Model:
    """The booster that the scorer gets too."""

    def __init__(self, path: Path) -> None:
        self._booster = lightgbm.Booster(model_file=path)

    def scores(self, rows: list[list[float]]) -> list[float]:
        """Probabilities, on one thread."""
        scores: list[float] = np.asarray(self._booster.predict(np.array(rows), num_threads=1)).tolist()
        return scores


def decision(payment: Payment, score: float) -> dict[str, Any]:
    """The decision message; the action costs the least."""
    expected = (score * payment.amount, _REVIEW, (1.0 - score) * _FALSE_DECLINE)
    action = _ACTIONS[expected.index(min(expected))]
    return {
        "event_id": payment.event_id,
        "event_time": payment.event_time,
        "decided_at": datetime.now(UTC),
        "event": {
            "customer_id": payment.customer_id,
            "terminal_id": payment.terminal_id,
            "merchant_category": payment.merchant_category,
            "amount": payment.amount,
            "country": payment.country,
        },
        "action": action,
        "policy_action": action,
        "propensity": 1.0,
        "score": score,
        "model": "large",
        "reasons": [],
        "rules": [],
        "fallback": None,
        "shadow": {},
        "release": 1,
    }
