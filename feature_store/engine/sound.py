"""Whether arrays that were kept can be the state of a series: kernels write wherever these tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.engine.layout import (
    AFTER,
    BASE,
    BEFORE,
    CAPACITY,
    COUNTERS,
    END,
    FREE_SLABS,
    FREE_SLOT,
    FREE_VALUE,
    HAND,
    HEAD,
    HINTS,
    JOURNAL,
    LAST_ROW,
    LIVE_ROWS,
    LIVE_SLOTS,
    LIVE_VALUES,
    MIN_CAPACITY,
    NOWHERE,
    PLACES,
    SLOTS,
    TIME,
    USES,
    VALUE,
    VALUE_WORDS,
    VALUES,
)
from feature_store.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.engine.layout import Ints
    from feature_store.engine.program import Program

Arrays = dict[str, np.ndarray[Any, Any]]

KEPT = ("rows", "entities", "value_table", "counters")
"""The arrays of a series that are kept."""


def refuse_unsound(program: Program, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Raise ContractError unless every array has its shape and everything in them points into them."""
    shapes: dict[str, tuple[int, ...]] = {
        "rows": (program.row_words,),
        "entities": (program.entity_words,),
        "value_table": (VALUE_WORDS,),
        "counters": (),
    }
    for name, words in shapes.items():
        array = arrays.get(name)
        if array is None or array.dtype != np.int64 or array.ndim != len(words) + 1:
            raise ContractError(f"{name}: expected rows of {words} 64-bit integers")
        if array.shape[1:] != words:
            raise ContractError(f"{name}: expected rows of {words} 64-bit integers, not {array.shape[1:]}")
    for what, holds in _claims(program, *(arrays[name] for name in KEPT)):
        if not holds:
            raise ContractError(f"{what}: it points outside of what was kept")


def _claims(program: Program, rows: Ints, entities: Ints, values: Ints, counters: Ints) -> Any:
    yield "counters", len(counters) == COUNTERS and counters[JOURNAL] == 0 and counters[HAND] >= 0
    yield "counters", counters[[SLOTS, PLACES, VALUES]].tolist() == [len(entities), len(rows), len(values)]
    live = entities[entities[:, BASE] >= 0]
    base, capacity, head, end = (live[:, word] for word in (BASE, CAPACITY, HEAD, END))
    yield "entities", ((capacity >= MIN_CAPACITY) & (capacity & (capacity - 1) == 0)).all()
    yield "entities", ((base % np.maximum(capacity, 1) == 0) & (base <= len(rows) - capacity)).all()
    yield "entities", ((head >= 0) & (head <= end) & (end < capacity)).all()
    yield "entities", len(live) == counters[LIVE_SLOTS] and (end - head).sum() == counters[LIVE_ROWS]
    yield "entities", _apart(base, capacity)
    cursors = live[:, HINTS + len(program.plan.offsets) :].reshape(len(live), len(program.plan.cursors), 3)
    low, high = cursors[:, :, 0], cursors[:, :, 1]
    yield "cursors", ((head[:, None] <= low) & (low <= high) & (high <= end[:, None])).all()
    yield "value_table", (values[:, USES] >= 0).sum() == counters[LIVE_VALUES]
    yield "free entities", _ends(entities[:, HEAD], entities[:, BASE] < 0, counters[FREE_SLOT])
    yield "free values", _ends(values[:, LAST_ROW], values[:, USES] < 0, counters[FREE_VALUE])
    for size, first in enumerate(counters[FREE_SLABS:].tolist()):
        yield "free places", _slabs_end(rows[:, TIME], first, 1 << size)
    held, count = _held(base + head + 1, end - head), end - head
    number, last, newest = held - np.repeat(base, count), np.repeat(end, count), 0
    for at in program.plan.distincts.tolist():
        record, before, after = (rows[held, at + word] for word in (VALUE, BEFORE, AFTER))
        yield "links", ((record >= -1) & (record < len(values))).all()
        ends = after == NOWHERE
        behind = (before < number) & (ends | ((number < after) & (after <= last)))
        yield "links", (behind | (record < 0)).all()
        ends &= record >= 0
        newest += int(ends.sum())
        yield "links", (values[record[ends], LAST_ROW] == number[ends]).all()
    yield "links", newest == counters[LIVE_VALUES]


def _apart(base: Ints, capacity: Ints) -> bool:
    order = np.argsort(base)
    return bool((base[order][1:] >= (base + capacity)[order][:-1]).all())


def _held(first: Ints, count: Ints) -> Ints:
    """The places of all rows: ``count`` from each ``first`` on."""
    before = np.cumsum(count) - count
    return np.repeat(first - before, count) + np.arange(count.sum())


def _ends(following: Ints, free: np.ndarray[Any, Any], first: int) -> bool:
    """Whether a list of free records goes through free ones only, and ends."""
    left = int(free.sum())
    while first >= 0 and left and first < len(following) and free[first]:
        first, left = int(following[first]), left - 1
    return first == -1 and left == 0


def _slabs_end(following: Ints, first: int, size: int) -> bool:
    """Whether a list of free slabs stays inside, and ends."""
    left = len(following) // size
    while first >= 0 and left and first % size == 0 and first + size <= len(following):
        first, left = int(following[first]), left - 1
    return first == -1
