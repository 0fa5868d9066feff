"""Row expressions and rules: users' SQL over one micro-batch, in a DuckDB shut off from everything."""

from __future__ import annotations

import re
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from feature_store.columnar import compiled
from feature_store.duck import DuckError, sandbox
from feature_store.errors import ConfigError, ContractError
from feature_store.sql_columns import UnsureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from feature_store.columnar import Value
    from feature_store.declaration.aggregates import Condition

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Flags = np.ndarray[tuple[int, int], np.dtype[np.bool_]]

_REFUSED = re.compile(
    r"\b(select|from\s+\w+\s*\(|random|uuid|gen_random_uuid|now|today|current_\w+|get_current_\w+"
    r"|nextval|currval|getenv|setseed|localtime|localtimestamp|transaction_timestamp|txid_current"
    r"|age(?=\s*\([^,()]*\)))\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r'BOOLEAN|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|"NULL"')
_EXTRACT = re.compile(r"\bextract\s*\(\s*\w+\s+from\b", re.IGNORECASE)


@dataclass(frozen=True)
class Expression:
    """A named SQL expression and the key of the pipeline file it stands under."""

    name: str
    sql: str
    key: str


def row_expressions(rows: Mapping[str, str]) -> list[Expression]:
    """The row expressions among features, by name."""
    return [Expression(name, sql, f"features.rows.{name}") for name, sql in rows.items()]


def condition_expressions(conditions: Iterable[Condition]) -> list[Expression]:
    """The conditions of windowed features."""
    return [Expression(each.name, each.sql, f"features.windows.where.{each.name}") for each in conditions]


class RowQuery:
    """Evaluates a fixed list of expressions on batches of one schema.

    An expression that fails on an event (an overflow, a bad cast) is null for that event, in every engine:
    one event cannot stop the others.
    """

    def __init__(self, schema: pa.Schema, expressions: list[Expression], *, columnar: bool = True) -> None:
        """Check every expression by itself. Raises ConfigError naming the key of the first unsound one.

        Simple ones are evaluated by column, with the same values; unless ``columnar`` is false.
        """
        self._names = [expression.name for expression in expressions]
        self._schema = schema
        self._connection = sandbox()
        # Closed before Python itself goes: what is registered would outlive the interpreter.
        weakref.finalize(self, self._connection.close)
        self._rows = _Rows(schema.empty_table())
        self._connection.register("event", self._rows)
        for expression in expressions:
            _refuse_unrepeatable(expression)
            try:
                self._connection.execute(_select([expression.sql])).fetchnumpy()
                answer = self._connection.execute(f"select ({expression.sql}) from event")  # noqa: S608
                _refuse_other_than_number(expression, [str(kind) for _, kind, *_ in answer.description or ()])
            except DuckError as error:
                first = str(error).splitlines()[0]
                raise ConfigError(f"{expression.key}: {expression.sql!r}: {first}") from None
        self._texts = texts = [each.sql for each in expressions]
        self._columnar: dict[int, Callable[[pa.RecordBatch], Value]] = {}
        if columnar:
            found = {at: compiled(self._connection, text, schema) for at, text in enumerate(texts)}
            self._columnar = {at: evaluate for at, evaluate in found.items() if evaluate is not None}
        self._rest = [at for at in range(len(texts)) if at not in self._columnar]
        if texts:
            self._connection.execute(f"prepare row_query as {_select(texts)}")
        if self._rest:
            self._connection.execute(f"prepare the_rest as {_select([texts[at] for at in self._rest])}")

    def numbers(self, batch: pa.Table | pa.RecordBatch) -> Matrix:
        """One float64 column per expression; null is NaN. Raises ContractError for other columns."""
        matrix: Matrix = np.empty((batch.num_rows, len(self._names)))
        if matrix.size == 0:
            return matrix
        if not batch.schema.equals(self._schema):
            raise ContractError(f"the expressions were planned for {self._schema}, not for {batch.schema}")
        if not self._columnar or not isinstance(batch, pa.RecordBatch):
            self._asked(batch, "row_query", range(len(self._names)), matrix)
            return matrix
        try:
            for at, evaluate in self._columnar.items():
                matrix[:, at] = evaluate(batch).numbers()
        except UnsureError:
            self._asked(batch, "row_query", range(len(self._names)), matrix)
            return matrix
        if self._rest:
            self._asked(batch, "the_rest", self._rest, matrix)
        return matrix

    def _asked(
        self, batch: pa.Table | pa.RecordBatch, query: str, columns: Sequence[int], matrix: Matrix
    ) -> None:
        """Fill some columns with what DuckDB says; where it raises, rows and expressions by themselves."""
        self._rows.batch = batch
        try:
            found = self._connection.execute(f"execute {query}").fetchnumpy()
        except DuckError:
            if batch.num_rows == 1:
                self._asked_singly(columns, matrix)
                return
            middle = batch.num_rows // 2
            self._asked(batch.slice(0, middle), query, columns, matrix[:middle])
            self._asked(batch.slice(middle), query, columns, matrix[middle:])
            return
        for position, at in enumerate(columns):
            column = np.ma.asarray(found[f"c{position}"])
            matrix[:, at] = np.ma.filled(column.astype(np.float64), np.nan)

    def _asked_singly(self, columns: Sequence[int], matrix: Matrix) -> None:
        """Expressions of one row, null where DuckDB raises what its ``try`` lets through (LIKE … ESCAPE)."""
        for at in columns:
            try:
                found = self._connection.execute(_select([self._texts[at]])).fetchnumpy()
            except DuckError:
                self._connection.execute("select 1")  # raises where nothing works any more
                matrix[:, at] = np.nan
            else:
                matrix[:, at] = np.ma.filled(np.ma.asarray(found["c0"]).astype(np.float64), np.nan)

    def flags(self, batch: pa.Table | pa.RecordBatch) -> Flags:
        """One boolean column per expression, in order; null is false."""
        numbers = self.numbers(batch)
        flags: Flags = np.nan_to_num(numbers, nan=0.0) != 0.0
        return flags


class _Rows:
    """What the relation ``event`` is: the batch of the moment.

    DuckDB asks for the stream anew at every execution, so one prepared query serves all batches; planning it
    for each of them took eight times as long as running it (2.5 ms and 0.3 ms for eight expressions).
    """

    def __init__(self, batch: pa.Table | pa.RecordBatch) -> None:
        self.batch = batch

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.batch.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]


def _select(expressions: list[str]) -> str:
    columns = ", ".join(f"try(cast(({text}) as double)) as c{i}" for i, text in enumerate(expressions))
    return f"select {columns} from event"  # noqa: S608  (expressions of the pipeline file, in a sandbox)


def _refuse_other_than_number(expression: Expression, kinds: list[str]) -> None:
    """A text would be null for every event; a second column would be taken for the next expression's."""
    if len(kinds) != 1:
        raise ConfigError(f"{expression.key}: {expression.sql!r} gives {len(kinds)} values, expected one")
    if not _NUMBER.fullmatch(kinds[0]):
        kind = "text" if kinds[0] == "VARCHAR" else kinds[0]
        raise ConfigError(
            f"{expression.key}: {expression.sql!r} gives {kind}, not a number or a truth value; compare it "
            "(x = 'a', x in ('a', 'b')), or say that it is a number: cast(x as double)"
        )


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
