"""What is done with a batch: rows read and added in order, taken back, or made final."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from feature_store.engine.compiled import called, compiled, inlined
from feature_store.engine.keys import find
from feature_store.engine.layout import (
    BASE,
    CAPACITY,
    DONE,
    END,
    HAND,
    HEAD,
    HINTS,
    JOURNAL,
    LIVE_ROWS,
    LIVE_SLOTS,
    LIVE_VALUES,
    MIN_CAPACITY,
    MORE_JOURNAL,
    MORE_PLACES,
    MORE_SLOTS,
    MORE_VALUES,
    MOVED,
    OUT,
    SLOTS,
    TIME,
    VALUES,
)
from feature_store.engine.links import link, make_room_in_cursors, relabel, unlink
from feature_store.engine.reading import boundary, read_features
from feature_store.engine.slabs import capacity_for, drop_entity, has_places, move_rows, new_entity, trim
from feature_store.engine.totals import add_row, totals_after
from feature_store.engine.trees import appended, rebuild

if TYPE_CHECKING:
    from feature_store.engine.layout import Batch, Plan, Pools, Word

READ, ADD, READ_AND_ADD = 1, 2, 3
_SWEEP = 64
_NOBODY = -2


@inlined
def _wants(plan: Plan, pools: Pools, slot: Word) -> Word:
    """What must grow before a row can be added to this entity (-1: a new one)."""
    counters = pools.counters
    if counters[JOURNAL] >= len(pools.journal):
        return MORE_JOURNAL
    distincts = len(plan.distincts)
    if distincts and (
        counters[VALUES] + distincts > len(pools.value_table)
        or 2 * (counters[LIVE_VALUES] + distincts) > len(pools.value_index)
    ):
        return MORE_VALUES
    if slot < 0:
        if counters[SLOTS] >= len(pools.entities) or 2 * (counters[LIVE_SLOTS] + 1) > len(pools.entity_index):
            return MORE_SLOTS
        return DONE if has_places(pools, MIN_CAPACITY) else MORE_PLACES
    head, end = pools.entities[slot, HEAD], pools.entities[slot, END]
    capacity = pools.entities[slot, CAPACITY]
    if end + 1 < capacity:
        return DONE
    wanted = capacity_for(end - head)
    return DONE if wanted == capacity or has_places(pools, wanted) else MORE_PLACES


@called
def _shift_up(pools: Pools, base: Word, row: Word, end: Word) -> None:
    for each in range(end, row - 1, -1):
        for word in range(pools.rows.shape[1]):
            pools.rows[base + each + 1, word] = pools.rows[base + each, word]


@inlined
def _add(plan: Plan, pools: Pools, slot: Word, after: Word, batch: Batch, source: Word) -> None:
    """Add the batch's row ``source`` behind the entity's row ``after``; there must be room."""
    entities = pools.entities
    if entities[slot, END] + 1 >= entities[slot, CAPACITY]:
        after -= entities[slot, HEAD]
        move_rows(plan, pools, slot)
    base, head, end = entities[slot, BASE], entities[slot, HEAD], entities[slot, END]
    row = after + 1
    in_order = row > end
    if not in_order:
        make_room_in_cursors(plan, pools, slot, base, row, 1)
        _shift_up(pools, base, row, end)
        for which in range(len(plan.distincts)):
            relabel(plan, pools, base, head, row + 1, end + 1, which, 1)
    place = base + row
    pools.rows[place, TIME] = batch.times[source]
    for which in range(len(plan.kept)):
        pools.rows[place, plan.kept[which, 0]] = batch.columns[source, plan.kept[which, 1]]
    add_row(plan, pools, place, batch.columns, source)
    for which in range(len(plan.distincts)):
        keys = batch.value_keys
        link(plan, pools, base, head, row, which, keys[source, which, 0], keys[source, which, 1])
    entities[slot, END] = end + 1
    if in_order:
        appended(plan, pools, place, entities[slot, CAPACITY])
    else:
        totals_after(plan, pools, place + 1, base + end + 1, place, 1)
        rebuild(plan, pools, place, base + end + 1, entities[slot, CAPACITY])
    counters = pools.counters
    pools.journal[counters[JOURNAL], 0] = slot
    pools.journal[counters[JOURNAL], 1] = row + entities[slot, MOVED]
    counters[JOURNAL] += 1
    counters[LIVE_ROWS] += 1


@called
def _remove(plan: Plan, pools: Pools, slot: Word, row: Word) -> None:
    """The inverse of ``_add``, for the change that was made last."""
    entities = pools.entities
    base, head, end = entities[slot, BASE], entities[slot, HEAD], entities[slot, END]
    place = base + row
    make_room_in_cursors(plan, pools, slot, base, row, -1)
    for which in range(len(plan.distincts)):
        unlink(plan, pools, base, head, row, which)
    words = pools.rows.shape[1]
    for each in range(row, end):  # carries the row to the end, where its totals are still needed
        for word in range(words):
            carried = pools.rows[base + each, word]
            pools.rows[base + each, word] = pools.rows[base + each + 1, word]
            pools.rows[base + each + 1, word] = carried
    entities[slot, END] = end - 1
    if row < end:
        for which in range(len(plan.distincts)):
            relabel(plan, pools, base, head, row, end - 1, which, -1)
        totals_after(plan, pools, place, base + end - 1, base + end, -1)
    if end > head + 1:
        rebuild(plan, pools, min(place, base + end - 1), base + end - 1, entities[slot, CAPACITY])
    pools.counters[LIVE_ROWS] -= 1
    if end - 1 == head and pools.rows[base + head, TIME] < -(2**61):  # it had come with this batch
        drop_entity(pools, slot)


@inlined
def _find_all(pools: Pools, batch: Batch, rows: Any, start: Word, slots: Any) -> None:
    """Look every entity up first: the loads then wait for memory side by side, not one after another."""
    for at in range(start, len(rows)):
        low, high = batch.keys[rows[at], 0], batch.keys[rows[at], 1]
        slots[at] = _NOBODY if low == 0 and high == 0 else find(pools.entity_index, pools.entities, low, high)


@inlined
def _unknown(plan: Plan, mode: Word, out: Any, row: Word) -> None:
    for feature in range(len(plan.features) if mode & READ else 0):
        out[row, plan.features[feature, OUT]] = math.nan


@inlined
def _bounds(plan: Plan, pools: Pools, slot: Word, time: Word, bounds: Any) -> None:
    """Where every window of an event at ``time`` begins and ends."""
    entities = pools.entities
    base, head, end = entities[slot, BASE], entities[slot, HEAD], entities[slot, END]
    for which in range(len(plan.offsets)):
        guess = entities[slot, HINTS + which]
        found = boundary(pools.rows, base, head, end, guess, time - plan.offsets[which])
        bounds[which] = found
        entities[slot, HINTS + which] = found


@inlined
def _add_and_read(
    plan: Plan, pools: Pools, slot: Word, batch: Batch, source: Word, mode: Word, out: Any, bounds: Any
) -> None:
    moved = pools.entities[slot, MOVED]
    _add(plan, pools, slot, bounds[0], batch, source)
    if mode & READ:
        for which in range(len(plan.offsets)):
            bounds[which] -= pools.entities[slot, MOVED] - moved
        read_features(plan, pools, slot, bounds, batch.times[source], 1, out, source)


@compiled
def observe(
    plan: Plan,
    pools: Pools,
    batch: Batch,
    rows: Any,
    start: Word,
    mode: Word,
    out: Any,
    slots: Any,
    bounds: Any,
) -> tuple[Word, Word]:
    """Read and / or add the batch's ``rows`` from ``start`` on, in order.

    Returns where it stopped and why: DONE, or what must grow before it can go on there.
    """
    _find_all(pools, batch, rows, start, slots)
    for at in range(start, len(rows)):
        source, slot = rows[at], slots[at]
        low, high = batch.keys[source, 0], batch.keys[source, 1]
        if slot == _NOBODY:
            _unknown(plan, mode, out, source)
            continue
        if slot < 0:  # it may have come with this batch
            slot = find(pools.entity_index, pools.entities, low, high)
        wants = _wants(plan, pools, slot) if mode & ADD else DONE
        if wants != DONE:
            return at, wants
        if slot < 0 and mode & ADD:
            slot = new_entity(plan, pools, low, high)
        if slot >= 0:
            _bounds(plan, pools, slot, batch.times[source], bounds)
        if mode & READ:
            read_features(plan, pools, slot, bounds, batch.times[source], 0, out, source)
        if mode & ADD:
            _add_and_read(plan, pools, slot, batch, source, mode, out, bounds)
    return len(rows), DONE


@compiled
def take_back(plan: Plan, pools: Pools) -> None:
    """Undo everything since the last ``settle``, the last change first."""
    counters = pools.counters
    while counters[JOURNAL] > 0:
        counters[JOURNAL] -= 1
        slot = pools.journal[counters[JOURNAL], 0]
        row = pools.journal[counters[JOURNAL], 1] - pools.entities[slot, MOVED]
        _remove(plan, pools, slot, row)


@compiled
def settle(plan: Plan, pools: Pools, rows_until: Word, entity_until: Word) -> None:
    """Everything so far is final. Forget what no window can reach: of the entities that were touched, and of
    some others in turn, so that idle ones go as well.
    """
    counters = pools.counters
    for change in range(counters[JOURNAL]):
        slot = pools.journal[change, 0]
        if pools.entities[slot, BASE] >= 0:
            counters[LIVE_ROWS] -= trim(plan, pools, slot, rows_until, entity_until)
    others = counters[JOURNAL] + _SWEEP
    counters[JOURNAL] = 0
    for _ in range(min(others, counters[SLOTS])):
        slot = counters[HAND] % counters[SLOTS]
        counters[HAND] = slot + 1
        if pools.entities[slot, BASE] >= 0:
            counters[LIVE_ROWS] -= trim(plan, pools, slot, rows_until, entity_until)


@compiled
def rebuild_all(plan: Plan, pools: Pools) -> None:
    """Summaries of all rows anew: they are not kept in snapshots."""
    for slot in range(pools.counters[SLOTS]):
        base = pools.entities[slot, BASE]
        if base >= 0:
            rebuild(plan, pools, base, base + pools.entities[slot, END], pools.entities[slot, CAPACITY])
