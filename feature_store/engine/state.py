"""The state of one series: its arrays, how they grow, and how they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.engine.keys import enter_all
from feature_store.engine.layout import (
    BASE,
    COUNTERS,
    DONE,
    FREE_SLABS,
    FREE_SLOT,
    FREE_VALUE,
    LIVE_ROWS,
    LIVE_SLOTS,
    MORE_JOURNAL,
    MORE_PLACES,
    MORE_SLOTS,
    NEEDED,
    PLACES,
    SLOTS,
    USES,
    VALUE_WORDS,
    VALUES,
    Batch,
    Floats,
    Ints,
    Pools,
)
from feature_store.engine.series import observe, rebuild_all, settle, take_back
from feature_store.engine.sound import KEPT, refuse_unsound

if TYPE_CHECKING:
    from feature_store.engine.program import Program

_FEW, _BLOCK = 64, 16


class SeriesState:
    """Rows of every entity of one series."""

    def __init__(self, program: Program) -> None:
        self.program = program
        trees = len(program.plan.trees)
        counters = np.zeros(COUNTERS, np.int64)
        counters[[FREE_SLOT, FREE_VALUE]] = -1
        counters[FREE_SLABS:] = -1
        self._pools = Pools(
            rows=np.zeros((_FEW * 4, program.row_words), np.int64),
            entities=np.zeros((_FEW, program.entity_words), np.int64),
            levels=np.zeros((_FEW * 4 // _BLOCK, 4 * trees), np.int64),
            entity_index=np.zeros(2 * _FEW, np.int32),
            value_index=np.zeros(2 * _FEW, np.int32),
            value_table=np.zeros((_FEW, VALUE_WORDS), np.int64),
            journal=np.zeros((_FEW, 2), np.int64),
            counters=counters,
        )
        self._bounds = np.zeros(len(program.plan.offsets), np.int64)

    def __len__(self) -> int:
        """How many entities have rows."""
        return int(self._pools.counters[LIVE_SLOTS])

    @property
    def row_count(self) -> int:
        """How many rows are kept."""
        return int(self._pools.counters[LIVE_ROWS])

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self._pools)

    def observe(self, batch: Batch, rows: Ints, mode: int, out: Floats) -> None:
        """Read into ``out`` and / or add the batch's ``rows`` in order; see ``series.observe``."""
        slots = np.empty(len(rows), np.int64)
        at, wants = 0, -1
        while wants != DONE:
            at, wants = observe(
                self.program.plan, self._pools, batch, rows, at, mode, out, slots, self._bounds
            )
            if wants != DONE:
                self._grow(wants)

    def commit(self, watermark: int) -> None:
        """Make everything final; ``watermark`` (us) is what no further event is behind."""
        settle(
            self.program.plan,
            self._pools,
            watermark - self.program.row_reach,
            watermark - self.program.reach,
        )

    def rollback(self) -> None:
        """Take everything back since the last commit."""
        take_back(self.program.plan, self._pools)

    def export(self) -> dict[str, np.ndarray[Any, Any]]:
        """A copy of the committed state."""
        pools, counters = self._pools, self._pools.counters
        return {
            "rows": pools.rows[: counters[PLACES]].copy(),
            "entities": pools.entities[: counters[SLOTS]].copy(),
            "value_table": pools.value_table[: counters[VALUES]].copy(),
            "counters": counters.copy(),
        }

    def load(self, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        """The inverse of ``export``, on a fresh state of the same layout.

        Raises ContractError where the arrays cannot be such a state: kernels do not look where they write.
        """
        refuse_unsound(self.program, arrays)
        loaded = {name: np.array(arrays[name], np.int64) for name in KEPT}
        places = -(-max(len(loaded["rows"]), _FEW * 4) // _BLOCK) * _BLOCK
        self._pools = self._pools._replace(
            rows=_at_least(loaded["rows"], places),
            entities=_at_least(loaded["entities"], _FEW),
            value_table=_at_least(loaded["value_table"], _FEW),
            counters=loaded["counters"],
            levels=np.zeros((places // _BLOCK, self._pools.levels.shape[1]), np.int64),
        )
        self._reindex()
        rebuild_all(self.program.plan, self._pools)

    def _grow(self, wants: int) -> None:
        pools = self._pools
        if wants == MORE_JOURNAL:
            _resize(pools.journal, 2 * len(pools.journal))
        elif wants == MORE_PLACES:
            needed = max(int(pools.counters[NEEDED]), len(pools.rows) * 5 // 4)
            places = -(-needed // _BLOCK) * _BLOCK
            _resize(pools.rows, places)
            _resize(pools.levels, places // _BLOCK)
        elif wants == MORE_SLOTS:
            _resize(pools.entities, len(pools.entities) * 3 // 2)
            self._reindex()
        else:
            _resize(pools.value_table, len(pools.value_table) * 3 // 2)
            self._reindex()

    def _reindex(self) -> None:
        pools, counters = self._pools, self._pools.counters
        index = np.zeros(_index_size(len(pools.entities)), np.int32)
        enter_all(index, pools.entities, counters[SLOTS], BASE)
        value_index = np.zeros(_index_size(len(pools.value_table)), np.int32)
        enter_all(value_index, pools.value_table, counters[VALUES], USES)
        self._pools = pools._replace(entity_index=index, value_index=value_index)


def _index_size(records: int) -> int:
    """A power of two that so many records fill to at most half."""
    return 1 << (2 * records - 1).bit_length()


def _resize(array: np.ndarray[Any, Any], length: int) -> None:
    """Grow an array in place: large ones are moved by the memory manager without being copied."""
    array.resize((length, *array.shape[1:]), refcheck=False)


def _at_least(array: np.ndarray[Any, Any], length: int) -> np.ndarray[Any, Any]:
    if len(array) < length:
        _resize(array, length)
    return array
