"""Numbers in kernels: 128-bit integers, pairs of doubles, floats whose order is that of integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.engine.compiled import called, inlined

if TYPE_CHECKING:
    from feature_store.engine.layout import Real, Word

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_SPLIT = 134217729.0  # 2**27 + 1 (Dekker, 1971)


@inlined
def float_of(ordered: Word) -> Real:
    """The double of an integer in the same order as the doubles: the inverse of ``inputs.ordered``."""
    bits = np.int64(ordered) ^ ((np.int64(ordered) >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))
    return np.int64(bits).view(np.float64)


@inlined
def raw_bits(number: Real) -> Word:
    """The bits of a double as they are."""
    return np.float64(number).view(np.int64)


@inlined
def raw_float(bits: Word) -> Real:
    """The double of these bits."""
    return np.int64(bits).view(np.float64)


@inlined
def wide_add(low: Word, high: Word, low2: Word, high2: Word) -> tuple[Word, Word]:
    """The sum of two 128-bit integers."""
    total = np.uint64(low) + np.uint64(low2)
    carry = np.int64(1) if total < np.uint64(low) else np.int64(0)
    return np.int64(total), high + high2 + carry


@inlined
def wide_subtract(low: Word, high: Word, low2: Word, high2: Word) -> tuple[Word, Word]:
    """The difference of two 128-bit integers."""
    borrow = np.int64(1) if np.uint64(low) < np.uint64(low2) else np.int64(0)
    return np.int64(np.uint64(low) - np.uint64(low2)), high - high2 - borrow


@inlined
def wide_square(number: Word) -> tuple[Word, Word]:
    """The square of a 64-bit integer above -2**63."""
    size = np.uint64(-number if number < 0 else number)
    low, high = size & _LOW, size >> _HALF
    corner, middle, top = low * low, low * high, high * high
    carried = (corner >> _HALF) + (middle & _LOW) + (middle & _LOW)
    bottom = (corner & _LOW) | (carried << _HALF)
    return np.int64(bottom), np.int64(top + (middle >> _HALF) + (middle >> _HALF) + (carried >> _HALF))


@inlined
def wide_below(low: Word, high: Word, low2: Word, high2: Word) -> Word:
    """1 where the first of two unsigned 128-bit integers is less, else 0: the carry, or the borrow."""
    if np.uint64(high) != np.uint64(high2):
        return np.int64(1) if np.uint64(high) < np.uint64(high2) else np.int64(0)
    return np.int64(1) if np.uint64(low) < np.uint64(low2) else np.int64(0)


@called
def wide_float(low: Word, high: Word) -> Real:
    """A 128-bit integer as the nearest double."""
    if high == (low >> 63):
        return np.float64(low)
    negative = high < 0
    bottom, top = np.uint64(low), np.uint64(high)
    if negative:
        bottom = ~bottom + np.uint64(1)
        top = ~top + (np.uint64(1) if bottom == np.uint64(0) else np.uint64(0))
    shift = 0
    while top != np.uint64(0):  # what is shifted out stays as a sticky bit: the rounding is still right
        sticky = bottom & np.uint64(1)
        bottom = (bottom >> np.uint64(1)) | (top << np.uint64(63)) | sticky
        top >>= np.uint64(1)
        shift += 1
    size = np.float64(bottom) * 2.0**shift
    return -size if negative else size


@called
def wide_pair_of_size(low: Word, high: Word) -> tuple[Real, Real]:
    """A 128-bit integer from 0 as a pair of doubles."""
    first = wide_float(low, high)
    if first < 2.0**53:
        return first, 0.0
    top = np.floor(first / 2.0**64)
    bottom = np.int64(np.uint64(first - top * 2.0**64))
    rest_low, rest_high = wide_subtract(low, high, bottom, np.int64(top))
    return first, wide_float(rest_low, rest_high)


@called
def wide_pair(low: Word, high: Word) -> tuple[Real, Real]:
    """A 128-bit integer as a pair of doubles, exact to 106 bits."""
    if high < 0:
        positive_low, positive_high = wide_subtract(np.int64(0), np.int64(0), low, high)
        first, rest = wide_pair_of_size(positive_low, positive_high)
        return -first, -rest
    return wide_pair_of_size(low, high)


@called
def long_pair(low: Word, high: Word, top: Word) -> tuple[Real, Real]:
    """A 192-bit integer from 0 as a pair of doubles."""
    if top == 0 and high >= 0:
        return wide_pair_of_size(low, high)
    upper, upper_rest = wide_pair_of_size(high, top)
    lower, lower_rest = wide_pair_of_size(low, np.int64(0))
    return pair_add(upper * 2.0**64, upper_rest * 2.0**64, lower, lower_rest)


@inlined
def two_sum(a: Real, b: Real) -> tuple[Real, Real]:
    """Return a + b and its rounding error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@called
def two_product(a: Real, b: Real) -> tuple[Real, Real]:
    """Return a * b and its rounding error (Dekker); not finite above about 1e300."""
    product = a * b
    big = _SPLIT * a
    a_high = big - (big - a)
    a_low = a - a_high
    big = _SPLIT * b
    b_high = big - (big - b)
    b_low = b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@called
def pair_add(high: Real, low: Real, high2: Real, low2: Real) -> tuple[Real, Real]:
    """The sum of two pairs of doubles, to about 100 bits."""
    total, error = two_sum(high, high2)
    error2, rest = two_sum(low, low2)
    total, error = two_sum(total, error + error2)
    return two_sum(total, error + rest)
