"""The feature vector, put together: row expressions, categories, windows, as declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.expressions import RowQuery, condition_expressions, row_expressions
from feature_store.log import event_schema

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.engine.batches import EventBatch
    from feature_store.engine.groups import Output
    from feature_store.expressions import Matrix

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]

_LARGEST = float(np.finfo(np.float32).max)


class VectorAssembly:
    """Expressions before the kernels run, and the matrix after them."""

    def __init__(self, pipeline: Pipeline, outputs: list[Output]) -> None:
        """Compile the expressions. Raises ConfigError naming the key of an unsound one."""
        schema = event_schema(pipeline.event)
        conditions = pipeline.features.conditions()
        rows, where = row_expressions(pipeline.features.rows), condition_expressions(conditions)
        self._conditions = [each.name for each in conditions]
        self._rows = len(rows)
        self._both = RowQuery(schema, [*rows, *where])
        self._where = RowQuery(schema, where)
        self._categories = [
            (field, pa.array(values, pa.string())) for field, values in pipeline.features.categories.items()
        ]
        self._outputs = outputs
        self._plain = np.array([output.column for output in outputs], np.int64)
        used = [max(output.column, output.denominator) for output in outputs]
        self.columns = max(used, default=-1) + 1
        """How many columns the kernels fill."""

    def expressions(self, events: pa.RecordBatch) -> tuple[Matrix, dict[str, Bools]]:
        """The row expressions (rows, expressions), and where each condition holds."""
        found = self._both.numbers(events)
        return found[:, : self._rows], self._flags(found[:, self._rows :])

    def conditions(self, events: pa.RecordBatch) -> dict[str, Bools]:
        """Where each condition holds; null is false."""
        return self._flags(self._where.numbers(events))

    def assemble(self, events: pa.RecordBatch, rows: Matrix, found: Matrix, batch: EventBatch) -> Matrix:
        """The matrix: (rows, features); what a float32 cannot hold is null, since the engines take it
        differently.
        """
        windows = found[:, self._plain]
        for at, output in enumerate(self._outputs):
            if output.denominator >= 0:
                below = found[:, output.denominator]
                windows[:, at] = np.divide(
                    windows[:, at], below, out=np.full(len(below), np.nan), where=below != 0
                )
            if output.empty is not None:
                known = (batch.keys(output.entity) != 0).any(axis=1)
                windows[known & np.isnan(windows[:, at]), at] = output.empty
        codes = [_codes(events.column(field), values) for field, values in self._categories]
        matrix: Matrix = np.hstack([rows, *codes, windows])
        matrix[np.abs(matrix) > _LARGEST] = np.nan
        return matrix

    def _flags(self, numbers: Matrix) -> dict[str, Bools]:
        holds = np.nan_to_num(numbers, nan=0.0) != 0.0
        return {name: holds[:, at] for at, name in enumerate(self._conditions)}


def _codes(column: pa.Array[pa.StringScalar], values: pa.Array[pa.StringScalar]) -> Matrix:
    codes: Matrix = pc.index_in(column, values).to_numpy(zero_copy_only=False).astype(np.float64)
    return codes.reshape(-1, 1)
