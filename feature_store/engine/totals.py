"""Running totals of an entity's rows: each row's total is the one before it and its own part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.engine.compiled import called, inlined
from feature_store.engine.layout import (
    AUXILIARY,
    COLUMN,
    COUNT,
    FLOAT_SQUARES,
    FLOAT_SUM,
    KIND,
    LATEST,
    NEVER,
    NULL,
    SUM,
    TIME,
    WIDE_SQUARES,
    WIDE_SUM,
    WORD,
)
from feature_store.engine.numbers import (
    float_of,
    pair_add,
    raw_bits,
    raw_float,
    two_product,
    wide_add,
    wide_below,
    wide_square,
    wide_subtract,
)

if TYPE_CHECKING:
    from feature_store.engine.layout import Plan, Pools, Word


@called
def clear_totals(plan: Plan, pools: Pools, place: Word) -> None:
    """The totals of no rows at all, for a sentinel."""
    for which in range(len(plan.accumulators)):
        word = plan.accumulators[which, WORD]
        kind = plan.accumulators[which, KIND]
        pools.rows[place, word] = NEVER if kind == LATEST else 0
        if kind not in (COUNT, SUM, LATEST):
            pools.rows[place, word + 1] = 0
        if kind == WIDE_SQUARES:
            pools.rows[place, word + 2] = 0


@inlined
def add_row(plan: Plan, pools: Pools, place: Word, columns: Any, row: Word) -> None:
    """Totals at ``place`` from those before it and the input ``row``; its time must stand there already."""
    totals = pools.rows
    for which in range(len(plan.accumulators)):
        kind = plan.accumulators[which, KIND]
        word = plan.accumulators[which, WORD]
        value = columns[row, plan.accumulators[which, COLUMN]]
        before = totals[place - 1, word]
        if kind == COUNT:
            totals[place, word] = before + (1 if value != NULL else 0)
        elif kind == SUM:
            totals[place, word] = before + (value if value != NULL else 0)
        elif kind == LATEST:
            totals[place, word] = max(pools.rows[place, TIME], before) if value != NULL else before
        elif kind in (WIDE_SUM, WIDE_SQUARES):
            low, high = 0, 0
            if value != NULL:
                low, high = wide_square(value) if kind == WIDE_SQUARES else (value, value >> 63)
            low, high = wide_add(before, totals[place - 1, word + 1], low, high)
            totals[place, word] = low
            totals[place, word + 1] = high
            if kind == WIDE_SQUARES:
                carry = wide_below(low, high, before, totals[place - 1, word + 1])
                totals[place, word + 2] = totals[place - 1, word + 2] + carry
        else:
            _add_float(totals, place, word, value, kind)


@called
def _add_float(totals: Any, place: Word, word: Word, value: Word, kind: Word) -> None:
    high, low = raw_float(totals[place - 1, word]), raw_float(totals[place - 1, word + 1])
    if value != NULL:
        number = float_of(value)
        if kind == FLOAT_SQUARES:
            part, error = two_product(number, number)
        else:
            part, error = number, 0.0
        high, low = pair_add(high, low, part, error)
    totals[place, word] = raw_bits(high)
    totals[place, word + 1] = raw_bits(low)


@called
def totals_after(plan: Plan, pools: Pools, first: Word, last: Word, changed: Word, sign: Word) -> None:
    """Correct places ``first`` to ``last`` after a row came (+1) before them, or went (-1).

    ``changed`` is the place of a copy of the totals row whose difference to the one before it is that row's
    part: for +1 the row itself at ``first - 1``; for -1 the place that still holds it (the row
    behind ``last``), compared with ``first - 1``.
    """
    totals = pools.rows
    for which in range(len(plan.accumulators)):
        kind = plan.accumulators[which, KIND]
        word = plan.accumulators[which, WORD]
        before = changed - 1 if sign > 0 else first - 1
        if kind in (COUNT, SUM):
            part = sign * (totals[changed, word] - totals[before, word])
            for place in range(first, last + 1):
                totals[place, word] += part
        elif kind in (WIDE_SUM, WIDE_SQUARES):
            low, high = wide_subtract(
                totals[changed, word],
                totals[changed, word + 1],
                totals[before, word],
                totals[before, word + 1],
            )
            for place in range(first, last + 1):
                old_low, old_high = totals[place, word], totals[place, word + 1]
                if sign > 0:
                    low2, high2 = wide_add(old_low, old_high, low, high)
                    carry = wide_below(low2, high2, old_low, old_high)
                else:
                    low2, high2 = wide_subtract(old_low, old_high, low, high)
                    carry = -wide_below(old_low, old_high, low, high)
                totals[place, word] = low2
                totals[place, word + 1] = high2
                if (
                    kind == WIDE_SQUARES
                ):  # one square is less than 2**126: only a carry reaches its third word
                    totals[place, word + 2] += carry
    recompute(plan, pools, first, last)


@called
def recompute(plan: Plan, pools: Pools, first: Word, last: Word) -> None:
    """Totals that are not sums of integers, from what the rows themselves keep; counts must be right."""
    totals = pools.rows
    for which in range(len(plan.accumulators)):
        kind = plan.accumulators[which, KIND]
        word = plan.accumulators[which, WORD]
        other = plan.accumulators[which, AUXILIARY]
        if kind in (FLOAT_SUM, FLOAT_SQUARES):
            for place in range(first, last + 1):
                _add_float(totals, place, word, pools.rows[place, other], kind)
        elif kind == LATEST:
            for place in range(first, last + 1):
                before = totals[place - 1, word]
                counts = totals[place, other] != totals[place - 1, other]
                totals[place, word] = max(pools.rows[place, TIME], before) if counts else before
