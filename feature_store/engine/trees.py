"""Least and greatest of a stretch of rows: summaries of 16, 256, 4096 and 65536 places.

Slabs are aligned to their size, so a block of 16^k places belongs to one entity wherever it is used: only
blocks that lie wholly inside a window are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.engine.compiled import called, inlined
from feature_store.engine.layout import LARGEST_BLOCK, LEVELS, NULL, SMALLEST_BLOCK

if TYPE_CHECKING:
    from feature_store.engine.layout import Plan, Pools, Word


@inlined
def better(a: Word, b: Word, least: Word) -> Word:
    """The lesser or greater of two values, either of which may be null."""
    if a == NULL:
        return b
    if b == NULL:
        return a
    if least:
        return min(a, b)
    return max(a, b)


@inlined
def appended(plan: Plan, pools: Pools, place: Word, capacity: Word) -> None:
    """A row was written behind all others of its entity."""
    trees = len(plan.trees)
    for tree in range(trees):
        value = pools.rows[place, plan.trees[tree, 0]]
        least = plan.trees[tree, 1]
        level, size = 0, SMALLEST_BLOCK
        while level < LEVELS and capacity >= size:
            block, word = (place & -size) >> 4, level * trees + tree
            if place & (size - 1) == 0:
                pools.levels[block, word] = value
            else:
                pools.levels[block, word] = better(pools.levels[block, word], value, least)
            level += 1
            size <<= 4


@called
def rebuild(plan: Plan, pools: Pools, first: Word, last: Word, capacity: Word) -> None:
    """Rows from place ``first`` to ``last``, the newest one of the slab, have changed."""
    trees = len(plan.trees)
    for tree in range(trees):
        column, least = plan.trees[tree, 0], plan.trees[tree, 1]
        if capacity < SMALLEST_BLOCK:
            continue
        for block in range(first >> 4, (last >> 4) + 1):
            found = NULL
            for place in range(block << 4, min((block + 1) << 4, last + 1)):
                found = better(found, pools.rows[place, column], least)
            pools.levels[block, tree] = found
        level, size = 1, 256
        while level < LEVELS and capacity >= size:
            _summarise(pools.levels, (level - 1) * trees + tree, trees, first & -size, last, size, least)
            level += 1
            size <<= 4


@called
def _summarise(
    levels: Any, word: Word, trees: Word, first: Word, last: Word, size: Word, least: Word
) -> None:
    """Blocks of ``size`` places from the sixteen below each, whose summaries stand at ``word``."""
    for start in range(first, last + 1, size):
        found = NULL
        for child in range(start, min(start + size, last + 1), size >> 4):
            found = better(found, levels[child >> 4, word], least)
        levels[start >> 4, word + trees] = found


@called
def best(plan: Plan, pools: Pools, tree: Word, first: Word, last: Word) -> Word:
    """The least or greatest value of the places ``first`` to ``last``; NULL if there is none."""
    column, least = plan.trees[tree, 0], plan.trees[tree, 1]
    trees = len(plan.trees)
    found = NULL
    low, high = first, last + 1
    while low < high and low & 15:
        found = better(found, pools.rows[low, column], least)
        low += 1
    while low < high and high & 15:
        high -= 1
        found = better(found, pools.rows[high, column], least)
    size, word = SMALLEST_BLOCK, tree
    while low < high:
        wider = size << 4
        top = size == LARGEST_BLOCK
        while low < high and (top or low & (wider - 1)):
            found = better(found, pools.levels[low >> 4, word], least)
            low += size
        while low < high and high & (wider - 1):
            high -= size
            found = better(found, pools.levels[high >> 4, word], least)
        size = wider
        word += trees
    return found
