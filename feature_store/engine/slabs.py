"""Entities and their slabs: taking, moving and giving back places in the row pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.engine.compiled import called, inlined
from feature_store.engine.keys import enter, leave
from feature_store.engine.layout import (
    AFTER,
    BASE,
    BEFORE,
    CAPACITY,
    END,
    FREE_SLABS,
    FREE_SLOT,
    HEAD,
    HINTS,
    KEY_HI,
    KEY_LO,
    LAST_ROW,
    LIVE_SLOTS,
    MIN_CAPACITY,
    MOVED,
    NEEDED,
    NEVER,
    NOWHERE,
    NULL,
    PLACES,
    SLOTS,
    TIME,
    VALUE,
)
from feature_store.engine.links import leave_behind
from feature_store.engine.totals import clear_totals, recompute
from feature_store.engine.trees import rebuild

if TYPE_CHECKING:
    from feature_store.engine.layout import Plan, Pools, Word


@inlined
def size_class(capacity: Word) -> Word:
    """The power of two that a capacity is."""
    bits = 0
    while (1 << bits) < capacity:
        bits += 1
    return bits


@inlined
def has_places(pools: Pools, capacity: Word) -> Word:
    """Whether a slab of this capacity can be taken; if not, notes how many places the pools need."""
    counters = pools.counters
    if counters[FREE_SLABS + size_class(capacity)] >= 0:
        return True
    start = (counters[PLACES] + capacity - 1) & ~(capacity - 1)
    counters[NEEDED] = start + capacity
    return start + capacity <= len(pools.rows)


@called
def take_slab(pools: Pools, capacity: Word) -> Word:
    """The first place of a slab; there must be one."""
    counters = pools.counters
    which = FREE_SLABS + size_class(capacity)
    base = counters[which]
    if base >= 0:
        counters[which] = pools.rows[base, TIME]
        return base
    start = (counters[PLACES] + capacity - 1) & ~(capacity - 1)
    while counters[PLACES] < start:  # what alignment skips is kept for smaller slabs
        piece = counters[PLACES] & -counters[PLACES]
        give_slab(pools, counters[PLACES], piece)
        counters[PLACES] += piece
    counters[PLACES] = start + capacity
    return start


@called
def give_slab(pools: Pools, base: Word, capacity: Word) -> None:
    """A slab is free again."""
    which = FREE_SLABS + size_class(capacity)
    pools.rows[base, TIME] = pools.counters[which]
    pools.counters[which] = base


@called
def new_entity(plan: Plan, pools: Pools, low: Word, high: Word) -> Word:
    """An entity without rows; a slot and a slab must be free."""
    counters, entities = pools.counters, pools.entities
    slot = counters[FREE_SLOT]
    if slot >= 0:
        counters[FREE_SLOT] = entities[slot, HEAD]
    else:
        slot = counters[SLOTS]
        counters[SLOTS] += 1
    counters[LIVE_SLOTS] += 1
    base = take_slab(pools, MIN_CAPACITY)
    entities[slot, :] = 0
    entities[slot, KEY_LO] = low
    entities[slot, KEY_HI] = high
    entities[slot, BASE] = base
    entities[slot, CAPACITY] = MIN_CAPACITY
    _sentinel(plan, pools, base, NEVER)
    enter(pools.entity_index, low, slot)
    return slot


@called
def _sentinel(plan: Plan, pools: Pools, place: Word, time: Word) -> None:
    pools.rows[place, TIME] = time
    clear_totals(plan, pools, place)
    for which in range(len(plan.kept)):
        pools.rows[place, plan.kept[which, 0]] = NULL
    for which in range(len(plan.distincts)):
        pools.rows[place, plan.distincts[which] + VALUE] = -1


@called
def drop_entity(pools: Pools, slot: Word) -> None:
    """Forget an entity without rows."""
    entities = pools.entities
    leave(pools.entity_index, entities, slot)
    give_slab(pools, entities[slot, BASE], entities[slot, CAPACITY])
    entities[slot, BASE] = -1
    entities[slot, HEAD] = pools.counters[FREE_SLOT]
    pools.counters[FREE_SLOT] = slot
    pools.counters[LIVE_SLOTS] -= 1


@inlined
def capacity_for(rows: Word) -> Word:
    """The capacity that an entity with so many rows moves to: they fill at most half of it."""
    capacity = MIN_CAPACITY
    while capacity < 2 * (rows + 1):
        capacity *= 2
    return capacity


@called
def move_rows(plan: Plan, pools: Pools, slot: Word) -> None:
    """Make room behind the newest row: in place where many rows have gone, or in another slab."""
    entities = pools.entities
    base, capacity = entities[slot, BASE], entities[slot, CAPACITY]
    head, end = entities[slot, HEAD], entities[slot, END]
    wanted = capacity_for(end - head)
    target = base if wanted == capacity else take_slab(pools, wanted)
    source, rows = base + head, end - head + 1
    for row in range(rows):
        for word in range(pools.rows.shape[1]):
            pools.rows[target + row, word] = pools.rows[source + row, word]
    if target != base:
        give_slab(pools, base, capacity)
    entities[slot, BASE] = target
    entities[slot, CAPACITY] = wanted
    entities[slot, HEAD] = 0
    entities[slot, END] = end - head
    entities[slot, MOVED] += head
    _after_move(plan, pools, slot, head)
    recompute(plan, pools, target + 1, target + end - head)
    rebuild(plan, pools, target, target + end - head, wanted)


@called
def _after_move(plan: Plan, pools: Pools, slot: Word, by: Word) -> None:
    """Everything that names rows of this entity names them ``by`` lower."""
    entities, links = pools.entities, pools.rows
    base, end = entities[slot, BASE], entities[slot, END]
    boundaries = len(plan.offsets)
    for word in range(HINTS, HINTS + boundaries):
        entities[slot, word] = max(entities[slot, word] - by, 0)
    for cursor in range(len(plan.cursors)):
        word = HINTS + boundaries + 3 * cursor
        entities[slot, word] -= by
        entities[slot, word + 1] -= by
    for which in range(len(plan.distincts)):
        at = plan.distincts[which]
        for row in range(1, end + 1):
            record = links[base + row, at + VALUE]
            if record < 0:
                continue
            links[base + row, at + BEFORE] -= by
            if links[base + row, at + AFTER] == NOWHERE:
                pools.value_table[record, LAST_ROW] = row
            else:
                links[base + row, at + AFTER] -= by


@inlined
def trim(plan: Plan, pools: Pools, slot: Word, rows_until: Word, entity_until: Word) -> Word:
    """Forget rows at or before ``rows_until``, and the entity if it then has none and is older than
    ``entity_until``. Returns how many rows went.
    """
    entities = pools.entities
    base, head, end = entities[slot, BASE], entities[slot, HEAD], entities[slot, END]
    until = head
    while until < end and pools.rows[base + until + 1, TIME] <= rows_until:
        until += 1
    if until > head:
        leave_behind(plan, pools, slot, base, until)
        entities[slot, HEAD] = until
        # a row that came late is behind a sentinel that is newer: the newest time is what is remembered
        pools.rows[base + until, TIME] = max(pools.rows[base + until, TIME], pools.rows[base + head, TIME])
    if until == end and pools.rows[base + end, TIME] <= entity_until:
        drop_entity(pools, slot)
    return until - head
