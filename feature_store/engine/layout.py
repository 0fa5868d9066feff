"""What the arrays of a series hold, word by word.

A **series** is the rows (events, or what became known about them) of every entity of one kind. Each
entity has a slab: a power of two of places, aligned to its size, in the row pools. Row ``i`` of an entity is
at place ``base + i``; ``head`` is a sentinel (the row before the first one that is kept), rows are
``head + 1 .. end`` in order of time, ties in applied order. Accumulators are running totals, so a window
``(lo, hi]`` is the difference of two rows however long it is. A boundary of a window is the last row at or
before a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Word = Any
"""A 64-bit integer inside a kernel: what numba, not Python, makes of it."""
Real = Any
"""A double inside a kernel."""
Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Ints32 = np.ndarray[tuple[int, ...], np.dtype[np.int32]]
Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

NULL = -(2**63)
"""Null in an input column or a kept value."""
NEVER = -(2**62)
"""A time before all others."""
NOWHERE = 2**31 - 1
"""No later row with the same value."""

# Words of an entity: its key, its slab, its rows, how far its rows have moved; then a hint per boundary and
# three words per cursor.
KEY_LO, KEY_HI, BASE, CAPACITY, HEAD, END, MOVED, HINTS = range(8)
MIN_CAPACITY = 4

# Words of a distinct value of an entity: its key, its newest row, how many rows hold it.
LAST_ROW, USES = 2, 3
VALUE_WORDS = 4

# Columns of the links between rows that hold the same value: the value, the row before, the row after.
VALUE, BEFORE, AFTER = range(3)

# The first word of a row.
TIME = 0

# Kinds of accumulators.
COUNT, SUM, WIDE_SUM, WIDE_SQUARES, FLOAT_SUM, FLOAT_SQUARES, LATEST = range(7)
ACCUMULATOR_WORDS = {
    COUNT: 1,
    SUM: 1,
    WIDE_SUM: 2,
    WIDE_SQUARES: 3,  # the squares of three numbers of 64 bits are more than 127
    FLOAT_SUM: 2,
    FLOAT_SQUARES: 2,
    LATEST: 1,
}

# What a feature computes.
ROWS, TOTAL, AVERAGE, DEVIATION, LEAST, GREATEST, DIFFERENT, NTH, SINCE, SHARE = range(10)

# Words of a feature.
(
    OP,
    LOW,
    HIGH,
    INCLUDES,
    OUT,
    SUM_KIND,
    SUM_WORD,
    COUNT_WORD,
    SQUARES_WORD,
    VALUE_COLUMN,
    IS_FLOAT,
    EXTRA,
) = range(12)
FEATURE_WORDS = 12

# Words of an accumulator: its kind, its input column, its first word, a kept value or a count it needs.
KIND, COLUMN, WORD, AUXILIARY = range(4)

# Counters.
(SLOTS, LIVE_SLOTS, FREE_SLOT, PLACES, JOURNAL, VALUES, LIVE_VALUES, FREE_VALUE, HAND, NEEDED, LIVE_ROWS) = (
    range(11)
)
FREE_SLABS = 16
COUNTERS = FREE_SLABS + 48

# What a kernel asks for when it stops in the middle of a batch.
DONE, MORE_SLOTS, MORE_PLACES, MORE_JOURNAL, MORE_VALUES = range(5)

LEVELS = 4
"""Of summaries: of 16, 256, 4096 and 65536 places."""
SMALLEST_BLOCK, LARGEST_BLOCK = 16, 65536


class Plan(NamedTuple):
    """What a series computes; never changes. Words are those of a row."""

    offsets: Ints
    """Boundaries, us before the event; the first is 0."""
    accumulators: Ints
    """(accumulators, 4)"""
    kept: Ints
    """(kept values, 2): word, input column."""
    distincts: Ints
    """First word of the links of every distinct column."""
    trees: Ints
    """(trees, 2): word of the kept value, 1 for least and 0 for greatest."""
    features: Ints
    """(features, FEATURE_WORDS)"""
    scales: Floats
    """What a feature's number is divided by."""
    cursors: Ints
    """(cursors, 4): first word of the links, low boundary, high boundary, whether the event itself counts."""


class Pools(NamedTuple):
    """The state of a series; arrays grow between kernel calls."""

    rows: Ints
    """(places, words): time, running totals, kept values, links."""
    entities: Ints
    levels: Ints
    """(places / 16, 4 x trees): summaries of 16 places, of 256 at every 16th row, of 4096, of 65536."""
    entity_index: Ints32
    value_index: Ints32
    value_table: Ints
    journal: Ints
    """(changes, 2): entity, row."""
    counters: Ints


class Batch(NamedTuple):
    """The input of a kernel, by row."""

    keys: Ints
    """(rows, 2): 128 bits that stand for the entity; zero where it is null."""
    times: Ints
    columns: Ints
    """(rows, input columns), NULL where there is no value."""
    value_keys: Ints
    """(rows, distinct columns, 2): 128 bits that stand for entity and value; zero where there is none."""
