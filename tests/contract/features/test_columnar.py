"""Expressions that are evaluated by column give what DuckDB gives."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.columnar import compiled
from feature_store.duck import sandbox
from feature_store.expressions import Expression, RowQuery

FIELDS: dict[str, pa.DataType] = {
    "who": pa.string(),
    "whom": pa.string(),
    "amount": pa.decimal128(12, 2),
    "limit_": pa.decimal128(12, 2),
    "share": pa.decimal128(3, 3),
    "large": pa.decimal128(18, 0),
    "visits": pa.int64(),
    "mean": pa.float64(),
    "online": pa.bool_(),
    "moment": pa.timestamp("us"),
}
SCHEMA = pa.schema(FIELDS)
TEXTS = st.sampled_from(["", "a", "b", "A", "ß", "it's"])
NUMBERS = (
    "amount",
    "limit_",
    "share",
    "large",
    "visits",
    "mean",
    "extract(hour from moment)",
    "date_part('dow', moment)",
)
CONSTANTS = st.one_of(
    st.integers(-50, 50).map(str),
    st.integers(0, 10**20).map(str),
    st.decimals(0, 60, places=1).map(str),
    st.decimals(0, 2, places=4).map(str),
    st.sampled_from(["null", "1e2", "0.500", "9999999999.99", "99999999999", "'5'", "true"]),
)
COMPARED = st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


LEAVES = st.one_of(
    st.builds("{} {} {}".format, st.sampled_from(NUMBERS), COMPARED, CONSTANTS),
    st.builds("{} {} {}".format, CONSTANTS, COMPARED, st.sampled_from(NUMBERS)),
    st.builds("{} {} {}".format, st.sampled_from(NUMBERS), COMPARED, st.sampled_from(NUMBERS)),
    st.builds("{} between {} and {}".format, st.sampled_from(NUMBERS), CONSTANTS, CONSTANTS),
    st.builds("who {} {}".format, COMPARED, TEXTS.map(_quoted)),
    st.builds("who {} whom".format, COMPARED),
    st.builds(
        "{} is {}null".format,
        st.sampled_from(["who", "AMOUNT", "mean", "online"]),
        st.sampled_from(["", "not "]),
    ),
    st.builds(
        "who {}in ({})".format,
        st.sampled_from(["", "not "]),
        st.lists(TEXTS.map(_quoted), min_size=1).map(", ".join),
    ),
    st.builds("visits {}in ({}, {})".format, st.sampled_from(["", "not "]), CONSTANTS, CONSTANTS),
    st.sampled_from(
        ["online", "not online", "extract(isodow from moment) >= 6", "extract(minute from moment) = 0"]
    ),
)
TRUTHS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)
EXPRESSIONS = st.one_of(TRUTHS, st.sampled_from(NUMBERS))
ROW = st.fixed_dictionaries(
    {
        "who": st.none() | TEXTS,
        "whom": st.none() | TEXTS,
        "amount": st.none() | st.decimals(-60, 60, places=2) | st.just(Decimal("9999999999.99")),
        "limit_": st.none() | st.decimals(-60, 60, places=2),
        "share": st.none() | st.decimals(Decimal("-0.999"), Decimal("0.999"), places=3),
        "large": st.none() | st.integers(-(10**18) + 1, 10**18 - 1).map(Decimal),
        "visits": st.none() | st.integers(-50, 50) | st.integers(-(2**63) + 1, 2**63 - 1),
        "mean": st.none() | st.floats(-60, 60) | st.floats(),
        "online": st.none() | st.booleans(),
        "moment": st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),  # noqa: DTZ001  (UTC, zoneless)
    }
)


def numbers(sql: str, batch: pa.RecordBatch, *, columnar: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    return RowQuery(SCHEMA, [Expression("x", sql, "k")], columnar=columnar).numbers(batch)


@settings(max_examples=40)  # each plans two queries
@given(EXPRESSIONS, st.lists(ROW, min_size=1, max_size=5))
def test_by_column_is_what_duckdb_says(sql: str, rows: list[dict[str, Any]]) -> None:
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    try:
        expected = numbers(sql, batch, columnar=False)
    except Exception:  # noqa: BLE001  (not an expression that a pipeline may have)
        return
    np.testing.assert_array_equal(numbers(sql, batch, columnar=True), expected)


@pytest.mark.parametrize(
    "sql",
    [
        "amount >= 50",
        "who <> whom and not (amount > 4.50 or visits is null)",
        "extract(hour from moment) < 6",
        "who in ('a', 'b')",
        "online",
        "amount",
        "mean between 1 and 2.5",
    ],
)
def test_what_rules_consist_of_needs_no_query(sql: str) -> None:
    connection = sandbox()
    assert compiled(connection, sql, SCHEMA) is not None
    assert compiled(connection, f"{sql} is distinct from null", SCHEMA) is None
    connection.close()
