"""Simple SQL expressions, by column in numpy, with the values that DuckDB gives.

A query in DuckDB takes half a millisecond however few the rows, which is most of a small batch. Comparisons
of fields with constants and with each other, IN, BETWEEN, IS NULL, AND, OR, NOT and parts of an instant are
what most rules and row expressions consist of; they are read from DuckDB's own parse tree. Everything else,
and every case in which equality would need an argument, is left to DuckDB.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from feature_store.columns import present, words
from feature_store.sql_columns import PARTS, UnsureError, bools, decimals, float_numbers, where, wholes
from feature_store.truths import COMPARISONS, Number, Truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.duck import Connection

Value = Truth | Number
Evaluate = "Callable[[pa.RecordBatch], Value]"

_NUMBER = re.compile(r"\d{1,15}(\.\d{1,15})?")
_MIRRORED = {"LESSTHAN": "GREATERTHAN", "GREATERTHAN": "LESSTHAN"}


class _OutsideError(Exception):
    """The expression has something that is left to DuckDB."""


def compiled(connection: Connection, sql: str, schema: pa.Schema) -> Callable[[pa.RecordBatch], Value] | None:
    """What evaluates ``sql``, an expression that DuckDB accepts; None where that is left to DuckDB.

    Evaluation raises UnsureError for a batch that is better left to DuckDB.
    """
    query = f"select ({sql}) from event"  # noqa: S608  (it is parsed, not run)
    row = connection.execute("select json_serialize_sql(?)", [query]).fetchone()
    tree: Any = json.loads(row[0]) if row else {"error": True}
    if tree["error"]:
        return None
    (expression,) = tree["statements"][0]["node"]["select_list"]
    try:
        return _Compiler(schema).value(expression)
    except _OutsideError:
        return None


class _Compiler:
    """From a node of the parse tree to a function of a batch. Every method raises _OutsideError."""

    def __init__(self, schema: pa.Schema) -> None:
        self._names = {name.lower(): name for name in schema.names}
        self._schema = schema

    def value(self, node: dict[str, Any]) -> Callable[[pa.RecordBatch], Value]:
        """A whole expression: a truth, or a number."""
        try:
            return self._truth(node)
        except _OutsideError:
            return self._number(node)

    def _truth(self, node: dict[str, Any]) -> Callable[[pa.RecordBatch], Truth]:
        kind, of = node["class"], node["type"]
        if kind == "CONJUNCTION":
            return self._joined(node["children"], both=of == "CONJUNCTION_AND")
        if kind == "COMPARISON" and of in COMPARISONS:
            return self._comparison(of, node["left"], node["right"])
        if kind == "BETWEEN":
            low = self._comparison("COMPARE_GREATERTHANOREQUALTO", node["input"], node["lower"])
            high = self._comparison("COMPARE_LESSTHANOREQUALTO", node["input"], node["upper"])
            return lambda batch: low(batch) & high(batch)
        if kind == "OPERATOR":
            return self._operator(of, node["children"])
        if kind == "COLUMN_REF":
            name, field = self._column(node)
            if pa.types.is_boolean(field.type):
                return lambda batch: Truth.of(bools(batch.column(name)), present(batch.column(name)))
        raise _OutsideError

    def _joined(self, nodes: list[dict[str, Any]], *, both: bool) -> Callable[[pa.RecordBatch], Truth]:
        parts = [self._truth(node) for node in nodes]
        if both:
            return lambda batch: reduce(lambda a, b: a & b, (part(batch) for part in parts))
        return lambda batch: reduce(lambda a, b: a | b, (part(batch) for part in parts))

    def _operator(self, of: str, nodes: list[dict[str, Any]]) -> Callable[[pa.RecordBatch], Truth]:
        if of == "OPERATOR_NOT":
            inner = self._truth(nodes[0])
            return lambda batch: ~inner(batch)
        if of in {"OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"}:
            name, _ = self._column(nodes[0])
            wanted = of == "OPERATOR_IS_NOT_NULL"
            return lambda batch: where(present(batch.column(name)) == wanted)
        if of in {"COMPARE_IN", "COMPARE_NOT_IN"}:
            parts = [self._comparison("COMPARE_EQUAL", nodes[0], each) for each in nodes[1:]]
            if of == "COMPARE_IN":
                return lambda batch: reduce(lambda a, b: a | b, (part(batch) for part in parts))
            return lambda batch: ~reduce(lambda a, b: a | b, (part(batch) for part in parts))
        raise _OutsideError

    def _comparison(
        self, of: str, left: dict[str, Any], right: dict[str, Any]
    ) -> Callable[[pa.RecordBatch], Truth]:
        if left["class"] == "CONSTANT":
            left, right = right, left
            bare = of.removeprefix("COMPARE_").removesuffix("OREQUALTO")
            of = of.replace(bare, _MIRRORED.get(bare, bare))
        if right["class"] == "CONSTANT" and left["class"] == "COLUMN_REF":
            name, field = self._column(left)
            if pa.types.is_string(field.type):
                return _text_is(of, name, right)
        if right["class"] == "CONSTANT":
            return _compared_with(of, self._number(left), right["literal"], self._room(left))
        return self._fields_compared(of, left, right)

    def _fields_compared(
        self, of: str, left: dict[str, Any], right: dict[str, Any]
    ) -> Callable[[pa.RecordBatch], Truth]:
        (one, field), (other, same) = self._column(left), self._column(right)
        if field.type != same.type:
            raise _OutsideError
        if pa.types.is_string(field.type) and of in {"COMPARE_EQUAL", "COMPARE_NOTEQUAL"}:
            return lambda batch: _texts_compared(of, batch.column(one), batch.column(other))
        compare, a, b = COMPARISONS[of], self._number(left), self._number(right)

        def evaluate(batch: pa.RecordBatch) -> Truth:
            x, y = a(batch), b(batch)
            return Truth.of(compare(x.values, y.values), x.valid & y.valid)

        return evaluate

    def _number(self, node: dict[str, Any]) -> Callable[[pa.RecordBatch], Number]:
        if node["class"] == "FUNCTION":
            return self._part(node)
        name, field = self._column(node)
        kind = field.type
        if pa.types.is_decimal128(kind):
            return lambda batch: decimals(batch.column(name), kind.scale)
        if pa.types.is_int64(kind):
            return lambda batch: wholes(batch.column(name))
        if pa.types.is_float64(kind):
            return lambda batch: float_numbers(batch.column(name))
        raise _OutsideError

    def _part(self, node: dict[str, Any]) -> Callable[[pa.RecordBatch], Number]:
        """A part of an instant, as ``extract(hour from t)``."""
        arguments = [each["expression"] for each in node["arguments"]]
        if node["function_name"] != "date_part" or arguments[0]["class"] != "CONSTANT":
            raise _OutsideError
        part = PARTS.get(arguments[0]["literal"]["text"].lower())
        name, field = self._column(arguments[1])
        if part is None or not pa.types.is_timestamp(field.type):
            raise _OutsideError

        def evaluate(batch: pa.RecordBatch) -> Number:
            column = batch.column(name)
            return Number(part(words(column)), present(column), 0)

        return evaluate

    def _column(self, node: dict[str, Any]) -> tuple[str, pa.Field[Any]]:
        if node["class"] != "COLUMN_REF" or len(node["column_names"]) != 1:
            raise _OutsideError
        name = self._names.get(node["column_names"][0].lower())
        if name is None:
            raise _OutsideError
        return name, self._schema.field(name)

    def _room(self, node: dict[str, Any]) -> int:
        """How many whole digits a constant beside this may have for DuckDB to compare it as it is."""
        if node["class"] != "COLUMN_REF":
            return 15
        kind = self._column(node)[1].type
        return kind.precision - kind.scale if pa.types.is_decimal128(kind) else 15


def _compared_with(
    of: str, number: Callable[[pa.RecordBatch], Number], literal: dict[str, Any], room: int
) -> Callable[[pa.RecordBatch], Truth]:
    text = literal.get("text", "")
    if literal["kind"] not in {"INTEGER", "NUMERIC"} or not _NUMBER.fullmatch(text):
        raise _OutsideError
    if len(text.partition(".")[0].lstrip("0")) > room:
        raise _OutsideError
    constant, compare = Decimal(text), COMPARISONS[of]

    def evaluate(batch: pa.RecordBatch) -> Truth:
        found = number(batch)
        if found.scale is None:
            return Truth.of(compare(found.values, float(constant)), found.valid)
        units = constant.scaleb(found.scale)
        if units != int(units):  # between two values
            raise UnsureError
        return Truth.of(compare(found.values, int(units)), found.valid)

    return evaluate


def _text_is(of: str, name: str, node: dict[str, Any]) -> Callable[[pa.RecordBatch], Truth]:
    literal = node["literal"]
    if literal["kind"] != "STRING" or of not in {"COMPARE_EQUAL", "COMPARE_NOTEQUAL"}:
        raise _OutsideError
    constant = pa.scalar(literal["text"], pa.string())
    return lambda batch: _texts_compared(of, batch.column(name), constant)


def _texts_compared(of: str, one: Any, other: Any) -> Truth:
    same = pc.equal(one, other)
    truth = Truth.of(bools(same), present(same))
    return truth if of == "COMPARE_EQUAL" else ~truth
