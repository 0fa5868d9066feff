"""Row expressions and rules: users' SQL over one micro-batch, in a DuckDB shut off from everything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feature_store.duck import DuckError, sandbox
from feature_store.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Flags = np.ndarray[tuple[int, int], np.dtype[np.bool_]]

_REFUSED = re.compile(
    r"\b(select|from\s+\w+\s*\(|random|uuid|gen_random_uuid|now|today|current_\w+|get_current_\w+"
    r"|nextval|currval|getenv|setseed)\b",
    re.IGNORECASE,
)
_EXTRACT = re.compile(r"\bextract\s*\(\s*\w+\s+from\b", re.IGNORECASE)


@dataclass(frozen=True)
class Expression:
    """A named SQL expression and the key of the pipeline file it stands under."""

    name: str
    sql: str
    key: str


class RowQuery:
    """Evaluates a fixed list of expressions on batches of one schema.

    An expression that fails on an event (an overflow, a bad cast) is null for that event, in every engine:
    one event cannot stop the others.
    """

    def __init__(self, schema: pa.Schema, expressions: list[Expression]) -> None:
        """Check every expression by itself. Raises ConfigError naming the key of the first unsound one."""
        self._names = [expression.name for expression in expressions]
        self._connection = sandbox()
        empty = schema.empty_table()
        for expression in expressions:
            _refuse_unrepeatable(expression)
            try:
                self._run(empty, [expression.sql])
            except DuckError as error:
                first = str(error).splitlines()[0]
                raise ConfigError(f"{expression.key}: {expression.sql!r}: {first}") from None
        self._sql = [expression.sql for expression in expressions]

    def numbers(self, batch: pa.Table | pa.RecordBatch) -> Matrix:
        """One float64 column per expression, in order; null is NaN."""
        matrix: Matrix = np.empty((batch.num_rows, len(self._names)))
        if matrix.size == 0:
            return matrix
        for position, column in enumerate(self._run(batch, self._sql)):
            filled = np.ma.filled(column.astype(np.float64), np.nan)
            matrix[:, position] = filled
        return matrix

    def flags(self, batch: pa.Table | pa.RecordBatch) -> Flags:
        """One boolean column per expression, in order; null is false."""
        numbers = self.numbers(batch)
        flags: Flags = np.nan_to_num(numbers, nan=0.0) != 0.0
        return flags

    def _run(self, batch: pa.Table | pa.RecordBatch, sql: list[str]) -> list[np.ma.MaskedArray]:
        columns = ", ".join(f"try(cast(({text}) as double)) as c{i}" for i, text in enumerate(sql))
        self._connection.register("event", batch)
        try:
            found = self._connection.execute(f"select {columns} from event").fetchnumpy()  # noqa: S608
        finally:
            self._connection.unregister("event")
        return [np.ma.asarray(found[f"c{i}"]) for i in range(len(sql))]


def _refuse_unrepeatable(expression: Expression) -> None:
    # Expressions are the pipeline's own; this keeps replays equal, the sandbox keeps files and network out.
    text = _EXTRACT.sub("extract(", re.sub(r"'[^']*'", "''", expression.sql))
    if found := _REFUSED.search(text):
        raise ConfigError(
            f"{expression.key}: {expression.sql!r} uses {found[0]!r}; an expression may use only the event "
            "itself, so that it gives the same value when it is computed again"
        )
    if ";" in text or "--" in text:
        raise ConfigError(f"{expression.key}: {expression.sql!r} must be one expression without ';' or '--'")
