"""The online feature store: a micro-batch in, a float matrix out, in applied order.

State is kept per source partition for entities that the partition key determines, and once over all
partitions for the others. Nothing is final before ``commit``: ``rollback`` gives back exactly what was
there before.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.carried import Carrying
from feature_store.engine.batches import EventBatch, fraud_batch, let_through_batch
from feature_store.engine.group_state import (
    NEWEST,
    commit_states,
    empty_state,
    exported,
    loaded,
    newest_of,
)
from feature_store.engine.groups import EVENTS, TRUTH, Group, compile_groups
from feature_store.engine.layout import NEVER
from feature_store.engine.series import ADD, READ, READ_AND_ADD
from feature_store.vector import VectorAssembly

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.engine.group_state import State
    from feature_store.engine.layout import Ints
    from feature_store.engine.state import SeriesState
    from feature_store.expressions import Matrix

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]
Places = dict[int, "Ints"]
"""Partition -> which rows of a batch are on it, in order."""
_NOWHERE = np.empty((0, 0))


class FeatureStore:
    """Features of one scorer."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Compile the expressions. Raises ConfigError naming the key of an unsound one."""
        self._event = pipeline.event
        self._lateness = pipeline.features.lateness
        self._groups, outputs, columns = compile_groups(pipeline)
        self._vector = VectorAssembly(pipeline, outputs)
        self._carrying = partial(Carrying, pipeline, columns)
        self._global = {group.name: empty_state(group) for group in self._groups if not group.per_partition}
        self._partitions: dict[int, dict[str, State]] = {}
        self._watermarks: dict[int, int] = {}
        self._moved: dict[int, int] = {}
        self._touched: set[int] = set()
        self._observed: tuple[EventBatch, Places] | None = None

    def add_partition(self, partition: int) -> None:
        """Take on a partition with empty state."""
        self._partitions[partition] = {
            group.name: empty_state(group) for group in self._groups if group.per_partition
        }
        self._watermarks[partition] = NEVER

    def drop_partition(self, partition: int) -> None:
        """Forget a partition; state over all partitions is no longer whole and is forgotten with it."""
        self._partitions.pop(partition, None)
        self._watermarks.pop(partition, None)
        self._global = {group.name: empty_state(group) for group in self._groups if not group.per_partition}

    def newest(self, partition: int) -> int:
        """The newest event time (us) on a partition, what is pending included."""
        return max(self._watermarks[partition], self._moved.get(partition, NEVER))

    def observe(
        self, events: pa.RecordBatch, partitions: Sequence[int] | Ints, carried: Matrix | None = None
    ) -> Matrix:
        """Every feature of every event (rows, features), each seeing what was applied before it.

        ``events`` has the declared fields; NaN is null, as is what a float32 cannot hold. ``carried`` is what
        earlier stages found (``found``).
        """
        rows, conditions = self._vector.expressions(events)
        return self.observe_windows(events, partitions, rows, conditions, carried=carried)

    def found(
        self, events: pa.RecordBatch, partitions: Sequence[int] | Ints, carried: Matrix | None = None
    ) -> Matrix:
        """What this stage finds (rows, columns of the kernels), beside what was ``carried`` here."""
        batch = EventBatch(self._event, events, self._vector.conditions(events))
        return self._find(batch, _places(partitions), events.num_rows, carried, known_at_once=False)

    def observe_windows(
        self,
        events: pa.RecordBatch,
        partitions: Sequence[int] | Ints,
        rows: Matrix,
        conditions: dict[str, Bools],
        *,
        known_at_once: bool = False,
        carried: Matrix | None = None,
    ) -> Matrix:
        """``observe`` with the expressions (``vector.expressions``) worked out before, for more at a time.

        ``known_at_once``: past events, each let through and known to be by those after it; ``decided`` is not
        called for them.
        """
        places = _places(partitions)
        batch = EventBatch(self._event, events, conditions)
        found = self._find(batch, places, events.num_rows, carried, known_at_once=known_at_once)
        self._observed = None if known_at_once else (batch, places)
        return self._vector.assemble(events, rows, found, batch)

    @cached_property
    def carrying(self) -> Carrying:
        """How what earlier stages found comes in, and what this one found goes on."""
        return self._carrying()

    @property
    def vector(self) -> VectorAssembly:
        """How the matrix is put together."""
        return self._vector

    def decided(self, let_through: Bools) -> None:
        """Tell which of the events of the last ``observe`` were let through; others see it from now on."""
        if self._observed is not None:
            for group in self._groups:
                self._let_through(group, *self._observed, let_through)
            self._observed = None

    def apply(
        self,
        events: pa.RecordBatch,
        partitions: Sequence[int] | Ints,
        let_through: Bools | None = None,
        only: set[str] | None = None,
    ) -> None:
        """Add events that were scored before, in applied order; ``only`` names the groups to add to."""
        places = _places(partitions)
        batch = EventBatch(self._event, events, self._vector.conditions(events))
        for group in self._chosen(only):
            self._run(group, batch, places, EVENTS, ADD, _NOWHERE)
            if let_through is not None:
                self._let_through(group, batch, places, let_through)
        self._move(batch.times, places)

    def learn(self, deltas: pa.RecordBatch, only: set[str] | None = None) -> None:
        """Apply outcome deltas (``log.delta_schema``), in applied order; ``only`` names the groups."""
        places = _places(deltas.column("source_partition").to_numpy())
        fraud = np.asarray(deltas.column("fraud").to_numpy(), np.int64)
        let_through = deltas.column("let_through").to_numpy(zero_copy_only=False).astype(np.bool_)
        batch = EventBatch(self._event, deltas, {}, prefix="entity_")
        for group in self._chosen(only):
            if TRUTH in group.programs:
                known = fraud_batch(batch.keys(group.entity), batch.times, fraud, let_through)
                for state, rows in self._states(group, places):
                    state[TRUTH].observe(known, rows, ADD, _NOWHERE)

    def commit(self) -> None:
        """The batch is committed on Kafka."""
        for partition, newest in self._moved.items():
            self._watermarks[partition] = max(self._watermarks[partition], newest)
        self._moved.clear()
        self._observed = None
        for partition in self._touched & self._partitions.keys():
            commit_states(self._partitions[partition], self._watermarks[partition] - self._lateness)
        self._touched.clear()
        if self._global:
            commit_states(self._global, min(self._watermarks.values(), default=NEVER) - self._lateness)

    def rollback(self) -> None:
        """The batch was aborted."""
        self._moved.clear()
        self._observed = None
        self._touched.clear()
        for series in self._series():
            series.rollback()

    # -- snapshots

    def layouts(self, partition: int | None) -> dict[str, str]:
        """Group -> what its state looks like, of a partition (None: of all, with the state over all)."""
        return {g.name: g.layout for g in self._groups if g.per_partition or partition is None}

    def export(self, partition: int | None) -> dict[str, np.ndarray[Any, Any]]:
        """A copy of the committed state of one partition; None: of all, with the state over all of them."""
        wanted = self._partitions if partition is None else {partition: self._partitions[partition]}
        arrays: dict[str, np.ndarray[Any, Any]] = {
            NEWEST: np.array([[p, self._watermarks[p]] for p in sorted(wanted)], np.int64).reshape(-1, 2)
        }
        for part, groups in wanted.items():
            arrays |= exported(f"{part}/", groups)
        if partition is None:
            arrays |= exported("all/", self._global)
        return arrays

    def load(self, partition: int | None, arrays: dict[str, np.ndarray[Any, Any]]) -> set[str]:
        """The inverse of ``export``, on partitions just added. Returns the groups whose state was taken over:
        not those that are new, or whose layout in ``arrays`` is not there at all. Raises ContractError where
        the arrays are not those of such a state; what is in the store then is of no use.
        """
        taken = {group.name for group in self._groups}
        wanted = sorted(self._partitions) if partition is None else [partition]
        for part, newest in newest_of(wanted, arrays):
            self._watermarks[part] = newest
            taken &= loaded(f"{part}/", self._partitions[part], arrays) | self._global.keys()
        if partition is None:
            taken &= loaded("all/", self._global, arrays) | {g.name for g in self._groups if g.per_partition}
        return taken if partition is None else taken - self._global.keys()

    @property
    def nbytes(self) -> int:
        """Bytes of state."""
        return sum(series.nbytes for series in self._series())

    @property
    def entities(self) -> int:
        """How many entities have state."""
        return sum(len(series) for series in self._series())

    @property
    def row_count(self) -> int:
        """How many rows are kept, of all entities."""
        return sum(series.row_count for series in self._series())

    # -- inside

    def _find(
        self, batch: EventBatch, places: Places, rows: int, carried: Matrix | None, *, known_at_once: bool
    ) -> Matrix:
        """What every group finds for the batch, which is added to it, beside what was ``carried``."""
        found = np.full((rows, self._vector.columns), np.nan) if carried is None else carried.copy()
        for group in self._groups:
            if known_at_once:
                self._let_through(group, batch, places, found=found)
            else:
                self._run(group, batch, places, TRUTH, READ, found)
            self._run(group, batch, places, EVENTS, READ_AND_ADD, found)
        self._move(batch.times, places)
        return found

    def _series(self) -> Iterator[SeriesState]:
        for groups in (*self._partitions.values(), self._global):
            for state in groups.values():
                yield from state.values()

    def _chosen(self, only: set[str] | None) -> list[Group]:
        return [group for group in self._groups if only is None or group.name in only]

    def _states(self, group: Group, places: Places) -> Iterator[tuple[State, Ints]]:
        """Every state of a group that rows of the batch belong to, with those rows in order."""
        if not group.per_partition:
            yield self._global[group.name], np.arange(sum(map(len, places.values())))
            return
        for partition, rows in places.items():
            self._touched.add(partition)
            yield self._partitions[partition][group.name], rows

    def _run(
        self, group: Group, batch: EventBatch, places: Places, series: str, mode: int, found: Matrix
    ) -> None:
        if series not in group.programs:
            return
        program = group.programs[series]
        read = batch.of(group.entity, program) if series == EVENTS else batch.truth(group.entity)
        for state, rows in self._states(group, places):
            state[series].observe(read, rows, mode, found)

    def _let_through(
        self,
        group: Group,
        batch: EventBatch,
        places: Places,
        let_through: Bools | None = None,
        found: Matrix | None = None,
    ) -> None:
        """Say of events that they were let through (None: all of them); first read into ``found``."""
        if TRUTH not in group.programs:
            return
        passed = let_through_batch(batch.keys(group.entity), batch.times)
        for state, rows in self._states(group, places):
            mine = rows if let_through is None else rows[let_through[rows]]
            mode = ADD if found is None else READ_AND_ADD
            state[TRUTH].observe(passed, mine, mode, _NOWHERE if found is None else found)

    def _move(self, times: Ints, places: Places) -> None:
        for partition, rows in places.items():
            newest = int(times[rows].max())
            self._moved[partition] = max(newest, self._moved.get(partition, newest))


def _places(partitions: Sequence[int] | Ints) -> Places:
    on = np.asarray(partitions, np.int64)
    return {partition: np.flatnonzero(on == partition) for partition in np.unique(on).tolist()}
