"""Rows that hold the same value, linked in order of time; and cursors that count different values.

A row is the first of its value in a window ``(lo, hi]`` when the row before it with the same value is at or
before ``lo``. A cursor is such a window with its count; either end moves by one row at a constant cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.engine.compiled import called
from feature_store.engine.keys import enter, find, leave
from feature_store.engine.layout import (
    AFTER,
    BEFORE,
    FREE_VALUE,
    HEAD,
    HINTS,
    LAST_ROW,
    LIVE_VALUES,
    NOWHERE,
    USES,
    VALUE,
    VALUES,
)

if TYPE_CHECKING:
    from feature_store.engine.layout import Plan, Pools, Word


@called
def _value_of(pools: Pools, low: Word, high: Word) -> Word:
    record = find(pools.value_index, pools.value_table, low, high)
    if record >= 0:
        return record
    counters = pools.counters
    record = counters[FREE_VALUE]
    if record >= 0:
        counters[FREE_VALUE] = pools.value_table[record, LAST_ROW]
    else:
        record = counters[VALUES]
        counters[VALUES] += 1
    counters[LIVE_VALUES] += 1
    pools.value_table[record, 0] = low
    pools.value_table[record, 1] = high
    pools.value_table[record, LAST_ROW] = -1
    pools.value_table[record, USES] = 0
    enter(pools.value_index, low, record)
    return record


@called
def release_value(pools: Pools, record: Word) -> None:
    """One row fewer holds this value."""
    pools.value_table[record, USES] -= 1
    if pools.value_table[record, USES] == 0:
        leave(pools.value_index, pools.value_table, record)
        pools.value_table[record, USES] = -1
        pools.value_table[record, LAST_ROW] = pools.counters[FREE_VALUE]
        pools.counters[FREE_VALUE] = record
        pools.counters[LIVE_VALUES] -= 1


@called
def link(
    plan: Plan, pools: Pools, base: Word, head: Word, row: Word, which: Word, low: Word, high: Word
) -> None:
    """Put ``row`` into the chain of its value; rows behind it have their links already."""
    links, at = pools.rows, plan.distincts[which]
    if low == 0 and high == 0:
        links[base + row, at + VALUE] = -1
        return
    record = _value_of(pools, low, high)
    pools.value_table[record, USES] += 1
    later, earlier = NOWHERE, pools.value_table[record, LAST_ROW]
    while earlier > row:
        later = earlier
        earlier = links[base + earlier, at + BEFORE]
    links[base + row, at + VALUE] = record
    links[base + row, at + BEFORE] = earlier
    links[base + row, at + AFTER] = later
    if earlier > head:
        links[base + earlier, at + AFTER] = row
    if later == NOWHERE:
        pools.value_table[record, LAST_ROW] = row
    else:
        links[base + later, at + BEFORE] = row


@called
def unlink(plan: Plan, pools: Pools, base: Word, head: Word, row: Word, which: Word) -> None:
    """Take ``row`` out of the chain of its value."""
    links, at = pools.rows, plan.distincts[which]
    record = links[base + row, at + VALUE]
    if record < 0:
        return
    earlier, later = links[base + row, at + BEFORE], links[base + row, at + AFTER]
    if later == NOWHERE:
        pools.value_table[record, LAST_ROW] = earlier
    else:
        links[base + later, at + BEFORE] = earlier
    if earlier > head:
        links[base + earlier, at + AFTER] = later
    release_value(pools, record)


@called
def relabel(
    plan: Plan, pools: Pools, base: Word, head: Word, first: Word, last: Word, which: Word, by: Word
) -> None:
    """Rows ``first`` to ``last``, the newest, have moved ``by`` places: so must what points at them.

    ``first`` and ``last`` are where they stand now.
    """
    links, at = pools.rows, plan.distincts[which]
    moved_from = first - by
    for row in range(first, last + 1):
        place = base + row
        record = links[place, at + VALUE]
        if record < 0:
            continue
        earlier = links[place, at + BEFORE]
        if earlier >= moved_from:
            links[place, at + BEFORE] = earlier + by
        elif earlier > head:
            links[base + earlier, at + AFTER] = row
        if links[place, at + AFTER] == NOWHERE:
            pools.value_table[record, LAST_ROW] = row
        else:
            links[place, at + AFTER] += by


@called
def move_cursor(
    plan: Plan, pools: Pools, slot: Word, cursor: Word, base: Word, low: Word, high: Word
) -> Word:
    """Move a cursor to the window ``(low, high]`` and return how many different values are in it."""
    word = HINTS + len(plan.offsets) + 3 * cursor
    entity, links = pools.entities, pools.rows
    at = plan.cursors[cursor, 0]
    lo, hi, count = entity[slot, word], entity[slot, word + 1], entity[slot, word + 2]
    while hi < high:
        hi += 1
        if links[base + hi, at + VALUE] >= 0 and links[base + hi, at + BEFORE] <= lo:
            count += 1
    while lo > low:
        if links[base + lo, at + VALUE] >= 0 and links[base + lo, at + AFTER] > hi:
            count += 1
        lo -= 1
    while lo < low:
        lo += 1
        if links[base + lo, at + VALUE] >= 0 and links[base + lo, at + AFTER] > hi:
            count -= 1
    while hi > high:
        if links[base + hi, at + VALUE] >= 0 and links[base + hi, at + BEFORE] <= lo:
            count -= 1
        hi -= 1
    entity[slot, word] = lo
    entity[slot, word + 1] = hi
    entity[slot, word + 2] = count
    return count


@called
def make_room_in_cursors(plan: Plan, pools: Pools, slot: Word, base: Word, row: Word, by: Word) -> None:
    """Before a row comes to (+1) or goes from (-1) ``row``: no cursor may count it or what is behind it."""
    entity = pools.entities
    for cursor in range(len(plan.cursors)):
        word = HINTS + len(plan.offsets) + 3 * cursor
        lo, hi = entity[slot, word], entity[slot, word + 1]
        if row > hi:
            continue
        if row <= lo:
            entity[slot, word] = lo + by
            entity[slot, word + 1] = hi + by
        else:
            move_cursor(plan, pools, slot, cursor, base, lo, row - 1)


@called
def leave_behind(plan: Plan, pools: Pools, slot: Word, base: Word, head: Word) -> None:
    """Before rows up to ``head`` go: no cursor may begin before it."""
    entity = pools.entities
    for cursor in range(len(plan.cursors)):
        word = HINTS + len(plan.offsets) + 3 * cursor
        lo, hi = entity[slot, word], entity[slot, word + 1]
        if hi <= head:
            entity[slot, word] = head
            entity[slot, word + 1] = head
            entity[slot, word + 2] = 0
        elif lo < head:
            move_cursor(plan, pools, slot, cursor, base, head, hi)
    for row in range(entity[slot, HEAD] + 1, head + 1):
        for which in range(len(plan.distincts)):
            record = pools.rows[base + row, plan.distincts[which] + VALUE]
            if record >= 0:
                release_value(pools, record)
