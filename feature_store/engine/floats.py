"""Sums of floats over a window: the difference of two running totals where it is exact enough, else its rows.

A running total is a pair of doubles (about 100 bits), so a difference is off by about 2^-98 of the totals.
Where that is too much beside the window's own numbers, or a total has overflowed, the window is added up row
by row (Neumaier, 1974), scaled so that nothing overflows on the way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from feature_store.engine.compiled import called
from feature_store.engine.layout import NULL
from feature_store.engine.numbers import float_of, pair_add, raw_float, two_product

if TYPE_CHECKING:
    from feature_store.engine.layout import Pools, Real, Word

_LOSS = 2.0**-94
_ENOUGH = 1e-12
_HUGE = 1e290


@called
def _difference(pools: Pools, base: Word, low: Word, high: Word, word: Word) -> tuple[Real, Real, Real]:
    """Sum of a window as a pair, and the size of the totals it was made of."""
    totals = pools.rows
    after, after_rest = raw_float(totals[base + high, word]), raw_float(totals[base + high, word + 1])
    before, before_rest = raw_float(totals[base + low, word]), raw_float(totals[base + low, word + 1])
    total, rest = pair_add(after, after_rest, -before, -before_rest)
    return total, rest, max(abs(after), abs(before))


@called
def _sample(pools: Pools, base: Word, low: Word, high: Word, column: Word) -> Real:
    """A number of the window that is not below its largest by much, usually: of its ends."""
    first, last = pools.rows[base + low + 1, column], pools.rows[base + high, column]
    size = 0.0
    if first != NULL:
        size = abs(float_of(first))
    if last != NULL:
        size = max(size, abs(float_of(last)))
    return size


@called
def float_total(pools: Pools, base: Word, low: Word, high: Word, word: Word, column: Word) -> Real:
    """The sum of the column over ``(low, high]``."""
    total, rest, size = _difference(pools, base, low, high, word)
    found = total + rest
    enough = max(abs(found), _sample(pools, base, low, high, column))
    if math.isfinite(found) and math.isfinite(size) and size * _LOSS <= enough * _ENOUGH:
        return found
    scale = _scale(pools, base, low, high, column)
    return _sum_of_rows(pools, base, low, high, column, scale) / scale


@called
def _scale(pools: Pools, base: Word, low: Word, high: Word, column: Word) -> Real:
    largest = 0.0
    for row in range(low + 1, high + 1):
        if pools.rows[base + row, column] != NULL:
            largest = max(largest, abs(float_of(pools.rows[base + row, column])))
    return 2.0**-100 if largest > _HUGE else 1.0


@called
def _sum_of_rows(pools: Pools, base: Word, low: Word, high: Word, column: Word, scale: Real) -> Real:
    total, rest = 0.0, 0.0
    for row in range(low + 1, high + 1):
        value = pools.rows[base + row, column]
        if value != NULL:
            number = float_of(value) * scale
            added = total + number
            if abs(total) >= abs(number):
                rest += (total - added) + number
            else:
                rest += (number - added) + total
            total = added
    return total + rest


@called
def spread(total: Real, rest: Real, squares: Real, squares_rest: Real, count: Word) -> Real:
    """Sum of squares - mean * sum, in pairs of doubles, so that what cancels is exact; never below zero."""
    mean = total / count
    back, back_rest = two_product(mean, float(count))
    mean_rest = ((total - back) - back_rest + rest) / count
    part, error = two_product(mean, total)
    error += mean * rest + mean_rest * total
    found, found_rest = pair_add(squares, squares_rest, -part, -error)
    return max(found + found_rest, 0.0)


@called
def float_deviation(
    pools: Pools, base: Word, low: Word, high: Word, words: tuple[Word, Word], column: Word, count: Word
) -> Real:
    """The sample standard deviation of the column over ``(low, high]``."""
    total, rest, size = _difference(pools, base, low, high, words[0])
    squares, squares_rest, squares_size = _difference(pools, base, low, high, words[1])
    off = spread(total, rest, squares, squares_rest, count)
    sample = _sample(pools, base, low, high, column)
    # a deviation may be off by 1e-9 of the largest number, its square by 1e-18 of that one's: here 1e-20
    loss = (squares_size + abs(total / count) * size) * _LOSS
    exact = math.isfinite(off) and math.isfinite(squares_size) and math.isfinite(size)
    if exact and loss <= 1e-10 * off + 1e-20 * sample * sample:
        return math.sqrt(off / (count - 1))
    return _deviation_of_rows(pools, base, low, high, column, count)


@called
def _deviation_of_rows(pools: Pools, base: Word, low: Word, high: Word, column: Word, count: Word) -> Real:
    largest = 0.0
    for row in range(low + 1, high + 1):
        if pools.rows[base + row, column] != NULL:
            largest = max(largest, abs(float_of(pools.rows[base + row, column])))
    if largest == 0.0:
        return 0.0
    mean = 0.0
    for row in range(low + 1, high + 1):
        if pools.rows[base + row, column] != NULL:
            mean += float_of(pools.rows[base + row, column]) / largest / count
    squares = 0.0
    for row in range(low + 1, high + 1):
        if pools.rows[base + row, column] != NULL:
            off = float_of(pools.rows[base + row, column]) / largest - mean
            squares += off * off
    return math.sqrt(squares / (count - 1)) * largest
