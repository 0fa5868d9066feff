"""How the truth comes out: by whom, when, and with the errors that people make.

Silence is the usual verdict on an honest payment. Most frauds are charged back after hours to days, some are
found by an analyst within a day, a few never. Some reports come after the maturity that a pipeline would
declare, some are wrong and later corrected, and sometimes the two sources disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from streams.sources.simulate.payments import Bools, Floats, Ints, Payments

SOURCES = ("chargeback", "analyst")
_CHARGEBACK, _ANALYST = range(2)
_HOUR_US = 3_600_000_000

_NEVER_REPORTED = 0.03
_FOUND_BY_ANALYST = 0.22
_LATE_REPORT = 0.03  # of frauds: charged back after three to six days
_CLEARED_THEN_CHARGED = 0.015  # of frauds: the analyst is wrong first and corrects it after the chargeback
_CLEARED = 0.004  # of honest payments: an analyst looked and said so
_ACCUSED = 0.0004  # of honest payments: charged back, then cleared by an analyst


class Verdicts(NamedTuple):
    """Outcomes: the payment's row, when it was observed (us, whole ms), fraud or not, and the source."""

    row: Ints
    at: Ints
    fraud: Bools
    source: Ints


def verdicts(payments: Payments, rng: np.random.Generator) -> Verdicts:
    """Every outcome that will ever be told about ``payments``."""
    fraud = np.flatnonzero(payments.fraud)
    fate = rng.random(len(fraud))
    bounds = np.cumsum([_NEVER_REPORTED, _CLEARED_THEN_CHARGED, _LATE_REPORT, _FOUND_BY_ANALYST])
    wronged, late, found, charged = (
        fraud[np.searchsorted(bounds, fate, side="right") == group] for group in (1, 2, 3, 4)
    )
    honest = np.flatnonzero(~payments.fraud)
    luck = rng.random(len(honest))
    accused = honest[luck < _ACCUSED]
    cleared = honest[(luck >= _ACCUSED) & (luck < _ACCUSED + _CLEARED)]
    parts = [
        _tell(payments, charged, _chargeback_hours(len(charged), rng), True, _CHARGEBACK),
        _tell(payments, late, rng.uniform(74, 144, len(late)), True, _CHARGEBACK),
        _tell(payments, found, rng.uniform(0.3, 20, len(found)), True, _ANALYST),
        _tell(payments, cleared, rng.uniform(0.3, 20, len(cleared)), False, _ANALYST),
        _tell(payments, wronged, rng.uniform(0.3, 10, len(wronged)), False, _ANALYST),
        _tell(payments, wronged, rng.uniform(20, 40, len(wronged)), True, _CHARGEBACK),
        _tell(payments, wronged, rng.uniform(41, 60, len(wronged)), True, _ANALYST),
        _tell(payments, accused, rng.uniform(10, 40, len(accused)), True, _CHARGEBACK),
        _tell(payments, accused, rng.uniform(41, 70, len(accused)), False, _ANALYST),
    ]
    return Verdicts(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def first_fraud_report(count: int, told: Verdicts) -> Ints:
    """Per payment when somebody first said fraud (us), or -1."""
    never = np.iinfo(np.int64).max
    first = np.full(count, never)
    np.minimum.at(first, told.row[told.fraud], told.at[told.fraud])
    return np.where(first == never, -1, first)


def _chargeback_hours(count: int, rng: np.random.Generator) -> Floats:
    """Between two hours and just under three days, mostly around a day."""
    return np.clip(18.0 * np.exp(rng.normal(0.0, 0.6, count)), 2.0, 70.0)


def _tell(
    payments: Payments,
    row: Ints,
    hours: Floats,
    fraud: bool,
    source: int,
) -> Verdicts:
    delay = (hours * _HOUR_US).astype(np.int64) // 1_000 * 1_000
    count = len(row)
    return Verdicts(
        row, payments.at[row] + delay, np.full(count, fraud), np.full(count, source, dtype=np.int64)
    )
