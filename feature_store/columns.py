"""Columns of decoded events, and their way into Arrow and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.declaration.event import EventSpec, FieldType, Kind
from feature_store.log import arrow_type

if TYPE_CHECKING:
    from feature_store.decode import Values
    from feature_store.expressions import Matrix

Columns = dict[str, list[Any]]
"""Field -> values; decimals in minor units, instants in microseconds, None where absent."""


def columns_of(event: EventSpec, events: list[Values]) -> Columns:
    """The events, turned by ninety degrees."""
    if not events:
        return {name: [] for name in event.fields}
    return dict(zip(event.fields, map(list, zip(*events, strict=True)), strict=True))


def to_arrow(kind: FieldType, values: list[Any]) -> pa.Array[Any]:
    """One column in its declared Arrow type."""
    if kind.kind is Kind.DECIMAL:
        return _decimals(pa.array(values, pa.int64()), arrow_type(kind))
    return pa.array(values, arrow_type(kind))


def from_arrow(kind: FieldType, column: pa.Array[Any]) -> list[Any]:
    """The inverse of ``to_arrow``."""
    if kind.kind is Kind.DECIMAL:
        missing = None if column.null_count == 0 else ~column.is_valid().to_numpy(zero_copy_only=False)
        return pa.array(minor_units(column), pa.int64(), mask=missing).to_pylist()
    if kind.kind is Kind.TIMESTAMP:
        return column.cast(pa.int64()).to_pylist()
    return column.to_pylist()


def columns_from_log(event: EventSpec, batch: pa.RecordBatch) -> Columns:
    """The declared event fields of a feature log batch."""
    return {name: from_arrow(spec.type, batch.column(name)) for name, spec in event.fields.items()}


def _decimals(minor: pa.Array[Any], kind: pa.DataType) -> pa.Array[Any]:
    # A decimal128 is a little-endian 128-bit integer of minor units: the value, then its sign extended.
    low = minor.fill_null(0).to_numpy(zero_copy_only=False)
    halves = np.empty((len(low), 2), np.int64)
    halves[:, 0] = low
    halves[:, 1] = low >> 63
    valid = minor.is_valid()
    bits = None if minor.null_count == 0 else valid.buffers()[1]
    return pa.Array.from_buffers(kind, len(low), [bits, pa.py_buffer(halves.tobytes())])


def words(column: pa.Array[Any]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Whole numbers of 64 bits, or instants in microseconds, without a copy; anything where it is null."""
    return _words(column).view(np.int64)


def floats(column: pa.Array[Any]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Floats, without a copy; anything where it is null."""
    return _words(column).view(np.float64)


def present(column: pa.Array[Any]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Where the column has a value."""
    if column.null_count == 0:
        return np.ones(len(column), np.bool_)
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), np.bool_)


def _words(column: pa.Array[Any]) -> np.ndarray[tuple[int], np.dtype[Any]]:
    buffer = column.buffers()[1]
    found = np.frombuffer(memoryview(buffer) if buffer else b"", np.int64)
    return found[column.offset : column.offset + len(column)]


def minor_units(column: pa.Array[Any]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Decimals of up to 18 digits as whole minor units: the low half of each; anything where it is null."""
    buffer = column.buffers()[1]
    halves = np.frombuffer(memoryview(buffer) if buffer else b"", np.int64).reshape(-1, 2)
    return halves[column.offset : column.offset + len(column), 0]


def number_arrays(matrix: Matrix) -> list[pa.Array[Any]]:
    """A matrix as float64 columns, NaN as null."""
    return [pa.array(column, pa.float64(), from_pandas=True) for column in np.ascontiguousarray(matrix.T)]
