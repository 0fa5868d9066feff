"""Arrow columns as what kernels read.

Every array is contiguous, and writable but for bytes: a kernel is compiled anew for another kind of array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.columns import minor_units, present, words
from feature_store.declaration.event import Kind
from feature_store.engine.layout import NULL, Ints

if TYPE_CHECKING:
    from feature_store.declaration.event import FieldType

_EIGHT = 8


def whole_numbers(kind: FieldType, column: pa.Array[Any]) -> Ints:
    """Numbers, truth values and instants as integers; floats as integers in the same order; NULL for null."""
    if kind.kind is Kind.FLOAT:
        return ordered(column.to_numpy(zero_copy_only=False).astype(np.float64))
    if kind.kind is Kind.DECIMAL:
        found = minor_units(column)
    elif kind.kind is Kind.BOOLEAN:
        found = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    else:
        found = words(column)
    if column.null_count:
        return np.where(present(column), found, NULL)
    return np.array(found, np.int64)


def ordered(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Ints:
    """Floats as integers in the same order; NaN is NULL, and both zeros are one."""
    bits = (numbers + 0.0).view(np.int64)
    return np.where(np.isnan(numbers), NULL, bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF))


def hashable(kind: FieldType, column: pa.Array[Any]) -> tuple[Any, Any, Any]:
    """Where each value's bytes stand, the bytes, and which rows have a value."""
    if kind.kind is Kind.STRING:
        _, starts, data = column.buffers()
        ends = np.frombuffer(memoryview(starts) if starts else b"", np.int32)
        ends = ends[column.offset : column.offset + len(column) + 1] if len(ends) else np.zeros(1, np.int32)
        bytes_ = np.frombuffer(memoryview(data) if data else b"", np.uint8)
        bytes_.flags.writeable = False
        return ends.astype(np.int64), bytes_, present(column)
    words = whole_numbers(kind, column)
    as_bytes = words.view(np.uint8)
    as_bytes.flags.writeable = False
    return np.arange(0, _EIGHT * (len(words) + 1), _EIGHT), as_bytes, present(column)
