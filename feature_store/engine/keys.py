"""Open addressing with linear probing and deletion by backward shift (Knuth, 6.4, algorithm R)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.engine.compiled import called, compiled, inlined

if TYPE_CHECKING:
    from feature_store.engine.layout import Word

# An index holds, at each place, 1 + the number of a record whose first two words are its key, or 0.


@inlined
def find(index: Any, records: Any, low: Word, high: Word) -> Word:
    """The record with this key, -1 if there is none."""
    mask = len(index) - 1
    place = low & mask
    while index[place] != 0:
        record = index[place] - 1
        if records[record, 0] == low and records[record, 1] == high:
            return record
        place = (place + 1) & mask
    return -1


@called
def enter(index: Any, low: Word, record: Word) -> None:
    """Add a record whose key is not there yet; the caller keeps a part of the index free."""
    mask = len(index) - 1
    place = low & mask
    while index[place] != 0:
        place = (place + 1) & mask
    index[place] = record + 1


@called
def leave(index: Any, records: Any, record: Word) -> None:
    """Take a record out that is there."""
    mask = len(index) - 1
    place = records[record, 0] & mask
    while index[place] != record + 1:
        place = (place + 1) & mask
    gap = place
    while True:
        place = (place + 1) & mask
        if index[place] == 0:
            break
        home = records[index[place] - 1, 0] & mask
        if ((place - home) & mask) >= ((place - gap) & mask):
            index[gap] = index[place]
            gap = place
    index[gap] = 0


@compiled
def enter_all(index: Any, records: Any, count: Word, mark: Word) -> None:
    """Fill an empty index with every record whose word ``mark`` is not negative."""
    for record in range(count):
        if records[record, mark] >= 0:
            enter(index, records[record, 0], record)
