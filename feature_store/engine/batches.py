"""A micro-batch as the kernels read it: digests of entities and values, numbers by input column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.engine.hashing import chain, start_digests
from feature_store.engine.inputs import hashable, whole_numbers
from feature_store.engine.layout import NULL, Batch, Ints
from feature_store.engine.program import FRAUD, FRAUD_LET_THROUGH, LET_THROUGH, InputColumn, Program

if TYPE_CHECKING:
    from feature_store.declaration.event import EventSpec

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]


class EventBatch:
    """Events of one batch; what several groups need is worked out once."""

    def __init__(
        self, event: EventSpec, events: pa.RecordBatch, conditions: dict[str, Bools], prefix: str = ""
    ) -> None:
        """``prefix`` stands before the names of entity fields: outcome deltas keep them apart."""
        self._event = event
        self._events = events
        self._conditions = conditions
        self._prefix = prefix
        self._digests: dict[tuple[str, ...], Ints] = {}
        self._columns: dict[InputColumn, Ints] = {}
        self.times = self._whole(event.time if not prefix else "event_time")

    def keys(self, entity: tuple[str, ...]) -> Ints:
        """128 bits per event that stand for its entity; zero where a part of it is null."""
        if not entity:
            return start_digests(self._events.num_rows)
        if entity not in self._digests:
            digests = self.keys(entity[:-1]).copy()
            chain(digests, self._hashable(entity[-1]))
            self._digests[entity] = digests
        return self._digests[entity]

    def of(self, entity: tuple[str, ...], program: Program) -> Batch:
        """What the series of events of ``entity`` reads."""
        keys, rows = self.keys(entity), self._events.num_rows
        columns = np.empty((rows, len(program.inputs)), np.int64)
        for at, column in enumerate(program.inputs):
            columns[:, at] = self._column(column)
        values = np.empty((rows, len(program.distincts), 2), np.int64)
        for at, column in enumerate(program.distincts):
            values[:, at] = self._values(entity, column, at)
        return Batch(keys, self.times, columns, values)

    def truth(self, entity: tuple[str, ...]) -> Batch:
        """What a series of truths reads to tell an event what is known."""
        rows = self._events.num_rows
        nothing, no_values = np.empty((rows, 0), np.int64), np.empty((rows, 0, 2), np.int64)
        return Batch(self.keys(entity), self.times, nothing, no_values)

    def _values(self, entity: tuple[str, ...], column: InputColumn, at: int) -> Ints:
        digests = self.keys(entity).copy()
        digests[:, 0] ^= at + 1  # so that equal values of two columns are told apart
        chain(digests, self._hashable(column.name or ""))
        if column.condition is not None:
            digests[~self._conditions[column.condition.name]] = 0
        return digests

    def _column(self, column: InputColumn) -> Ints:
        if column not in self._columns:
            found: Ints = np.ones(self._events.num_rows, np.int64)
            if column.name is not None:
                found = self._whole(column.name)
            if column.condition is not None:
                found = np.where(self._conditions[column.condition.name], found, NULL)
            self._columns[column] = found
        return self._columns[column]

    def _whole(self, name: str) -> Ints:
        if name not in self._event.fields:
            return np.array(self._events.column(name).cast(pa.int64()).to_numpy(), np.int64)
        return whole_numbers(self._event.fields[name].type, self._events.column(name))

    def _hashable(self, name: str) -> tuple[Any, Any, Any]:
        return hashable(self._event.fields[name].type, self._events.column(self._prefix + name))


def let_through_batch(keys: Ints, times: Ints) -> Batch:
    """Rows of a truth series that say that events were let through."""
    columns = np.full((len(times), 3), NULL, np.int64)
    columns[:, LET_THROUGH] = 1
    return Batch(keys, times, columns, np.empty((len(times), 0, 2), np.int64))


def fraud_batch(keys: Ints, times: Ints, fraud: Ints, let_through: Bools) -> Batch:
    """Rows of a truth series that say that events are known as fraud (+1), or no longer (-1)."""
    columns = np.full((len(times), 3), NULL, np.int64)
    columns[:, FRAUD] = fraud
    columns[:, FRAUD_LET_THROUGH] = np.where(let_through, fraud, NULL)
    return Batch(keys, times, columns, np.empty((len(times), 0, 2), np.int64))
