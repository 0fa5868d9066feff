"""Features of one event, from the boundaries of its windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from feature_store.engine.compiled import called, inlined
from feature_store.engine.floats import float_deviation, float_total, spread
from feature_store.engine.layout import (
    AVERAGE,
    BASE,
    COUNT_WORD,
    DEVIATION,
    DIFFERENT,
    EXTRA,
    HEAD,
    HIGH,
    INCLUDES,
    IS_FLOAT,
    LOW,
    NTH,
    NULL,
    OP,
    OUT,
    ROWS,
    SHARE,
    SINCE,
    SQUARES_WORD,
    SUM,
    SUM_KIND,
    SUM_WORD,
    TIME,
    TOTAL,
    VALUE_COLUMN,
    WIDE_SUM,
)
from feature_store.engine.links import move_cursor
from feature_store.engine.numbers import float_of, long_pair, wide_below, wide_float, wide_pair, wide_subtract
from feature_store.engine.trees import best

if TYPE_CHECKING:
    from feature_store.engine.layout import Plan, Pools, Real, Word

_SECOND = 1e6


@inlined
def boundary(rows: Any, base: Word, head: Word, end: Word, hint: Word, time: Word) -> Word:
    """The last row at or before ``time``, ``head`` if there is none: from a guess, by doubling steps."""
    low = min(max(hint, head), end)
    step = 1
    if low == head or rows[base + low, TIME] <= time:
        high = low + 1
        while high <= end and rows[base + high, TIME] <= time:
            low = high
            high = min(low + step, end + 1)
            step *= 2
    else:
        high = low
        low -= 1
        while low > head and rows[base + low, TIME] > time:
            high = low
            low = max(low - step, head)
            step *= 2
    while high - low > 1:
        middle = (low + high) >> 1
        if rows[base + middle, TIME] <= time:
            low = middle
        else:
            high = middle
    return low


@inlined
def _count(totals: Any, base: Word, low: Word, high: Word, word: Word) -> Word:
    if word < 0:
        return high - low
    return totals[base + high, word] - totals[base + low, word]


@inlined
def _total(plan: Plan, pools: Pools, feature: Word, base: Word, low: Word, high: Word) -> Real:
    """The sum of a window, in units of the input."""
    totals = pools.rows
    word, kind = plan.features[feature, SUM_WORD], plan.features[feature, SUM_KIND]
    if kind == SUM:
        return float(totals[base + high, word] - totals[base + low, word])
    if kind == WIDE_SUM:
        return wide_float(*_wide(totals, base, low, high, word))
    return float_total(pools, base, low, high, word, plan.features[feature, VALUE_COLUMN])


@inlined
def _wide(totals: Any, base: Word, low: Word, high: Word, word: Word) -> tuple[Word, Word]:
    return wide_subtract(
        totals[base + high, word],
        totals[base + high, word + 1],
        totals[base + low, word],
        totals[base + low, word + 1],
    )


@called
def _squares(totals: Any, base: Word, low: Word, high: Word, word: Word) -> tuple[Real, Real]:
    last, first = base + high, base + low
    borrow = wide_below(
        totals[last, word], totals[last, word + 1], totals[first, word], totals[first, word + 1]
    )
    return long_pair(
        *_wide(totals, base, low, high, word), totals[last, word + 2] - totals[first, word + 2] - borrow
    )


@called
def _deviation(
    plan: Plan, pools: Pools, feature: Word, base: Word, low: Word, high: Word, count: Word
) -> Real:
    totals = pools.rows
    if count <= 1:
        return math.nan
    if plan.features[feature, IS_FLOAT]:
        words = plan.features[feature, SUM_WORD], plan.features[feature, SQUARES_WORD]
        return float_deviation(pools, base, low, high, words, plan.features[feature, VALUE_COLUMN], count)
    if plan.features[feature, SUM_KIND] == SUM:
        total = (
            totals[base + high, plan.features[feature, SUM_WORD]]
            - totals[base + low, plan.features[feature, SUM_WORD]]
        )
        first, rest = wide_pair(total, total >> 63)
    else:
        first, rest = wide_pair(*_wide(totals, base, low, high, plan.features[feature, SUM_WORD]))
    squares, squares_rest = _squares(totals, base, low, high, plan.features[feature, SQUARES_WORD])
    return math.sqrt(spread(first, rest, squares, squares_rest, count) / (count - 1)) / plan.scales[feature]


@called
def _nth(pools: Pools, base: Word, low: Word, high: Word, word: Word, nth: Word) -> Word:
    """The row of the nth newest value in the window, -1 if there are fewer."""
    if _count(pools.rows, base, low, high, word) < nth:
        return -1
    if word < 0:
        return high - nth + 1
    wanted = pools.rows[base + high, word] - nth + 1
    first, last = low, high  # the count at ``first`` is below ``wanted``, at ``last`` it is not
    while last - first > 1:
        middle = (first + last) >> 1
        if pools.rows[base + middle, word] >= wanted:
            last = middle
        else:
            first = middle
    return last


@inlined
def _since(plan: Plan, pools: Pools, slot: Word, feature: Word, place: Word, time: Word) -> Real:
    word = plan.features[feature, COUNT_WORD]
    if word < 0:  # the sentinel is newer than a row that came late
        sentinel = pools.entities[slot, BASE] + pools.entities[slot, HEAD]
        latest = max(pools.rows[place, TIME], pools.rows[sentinel, TIME])
    else:
        latest = pools.rows[place, word]
    if latest <= time - plan.features[feature, EXTRA] or latest > time:
        return math.nan
    return (time - latest) / _SECOND


@inlined
def _kept_value(plan: Plan, pools: Pools, feature: Word, base: Word, low: Word, high: Word) -> Real:
    """A value as one of the rows holds it: the least, the greatest, the nth newest."""
    value, extra = NULL, plan.features[feature, EXTRA]
    if plan.features[feature, OP] == NTH:
        row = _nth(pools, base, low, high, plan.features[feature, COUNT_WORD], extra)
        if row >= 0:
            value = pools.rows[base + row, plan.features[feature, VALUE_COLUMN]]
    else:
        value = best(plan, pools, extra, base + low + 1, base + high)
    if value == NULL:
        return math.nan
    if plan.features[feature, IS_FLOAT]:
        return float_of(value)
    return value / plan.scales[feature]


@inlined
def _of_values(
    plan: Plan, pools: Pools, feature: Word, base: Word, low: Word, high: Word, count: Word
) -> Real:
    """A feature that is null where the window holds no value."""
    op = plan.features[feature, OP]
    if op == SHARE:
        whole = _count(pools.rows, base, low, high, plan.features[feature, EXTRA])
        return count / whole if whole else math.nan
    if count == 0:
        return math.nan
    if op == AVERAGE:
        return _total(plan, pools, feature, base, low, high) / (count * plan.scales[feature])
    if op == DEVIATION:
        return _deviation(plan, pools, feature, base, low, high, count)
    return _kept_value(plan, pools, feature, base, low, high)


@inlined
def feature_value(
    plan: Plan, pools: Pools, slot: Word, feature: Word, base: Word, low: Word, high: Word, time: Word
) -> Real:
    """One feature over the rows ``(low, high]``."""
    op = plan.features[feature, OP]
    if op == SINCE:
        return _since(plan, pools, slot, feature, base + high, time)
    if op == DIFFERENT:
        return float(move_cursor(plan, pools, slot, plan.features[feature, EXTRA], base, low, high))
    count = _count(pools.rows, base, low, high, plan.features[feature, COUNT_WORD])
    if op == ROWS:
        return float(count)
    if op == TOTAL:
        return _total(plan, pools, feature, base, low, high) / plan.scales[feature] if count else 0.0
    return _of_values(plan, pools, feature, base, low, high, count)


@inlined
def empty_value(plan: Plan, feature: Word) -> Real:
    """A feature of an entity without rows."""
    op = plan.features[feature, OP]
    return 0.0 if op in (ROWS, TOTAL, DIFFERENT) else math.nan


@inlined
def read_features(
    plan: Plan, pools: Pools, slot: Word, bounds: Any, time: Word, includes: Word, out: Any, row: Word
) -> None:
    """Every feature that counts the event itself (``includes`` 1), or that does not (0)."""
    base = 0 if slot < 0 else pools.entities[slot, BASE]
    for feature in range(len(plan.features)):
        if plan.features[feature, INCLUDES] != includes:
            continue
        if slot < 0:
            out[row, plan.features[feature, OUT]] = empty_value(plan, feature)
            continue
        high = bounds[plan.features[feature, HIGH]] + includes  # the event itself is the newest at its time
        out[row, plan.features[feature, OUT]] = feature_value(
            plan, pools, slot, feature, base, bounds[plan.features[feature, LOW]], high, time
        )
