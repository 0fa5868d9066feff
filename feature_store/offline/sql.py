"""Small pieces of SQL: names, types, exact numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.declaration.event import FieldType, Kind
from feature_store.duck import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_FLOAT32 = "3.4028234663852886e38"
_INT64 = 9_223_372_036_854_775_807
_TYPES = {
    Kind.STRING: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TIMESTAMP: "TIMESTAMP",
}


def field(name: str) -> str:
    """The column of a declared field, apart from the columns of our own."""
    return quoted(f"f_{name}")


def listed(items: Iterable[str]) -> str:
    """Items of a select list."""
    return ", ".join(items)


def sql_type(kind: FieldType) -> str:
    """The DuckDB type of a declared field."""
    return _TYPES.get(kind.kind) or f"DECIMAL({kind.precision},{kind.scale})"


def exact_value(kind: FieldType, column: str) -> str:
    """A field as it is aggregated: decimals in minor units, floats only where they are numbers."""
    name = field(column)
    if kind.kind is Kind.DECIMAL:
        unit = f"cast({10**kind.scale} as DECIMAL({kind.scale + 1},0))"
        return f"cast(cast({name} as DECIMAL(38,{kind.scale})) * {unit} as BIGINT)"
    if kind.kind is Kind.FLOAT:
        return f"case when isfinite({name}) then {name} end"
    return name


def as_double(total: str) -> str:
    """An integer of up to 128 bits as the nearest float64.

    DuckDB's own cast adds two rounded halves beyond 64 bits; its reading of decimal text rounds once.
    """
    inside = f"{total} between -{_INT64} and {_INT64}"
    return (
        f"(case when {inside} then cast(cast({total} as BIGINT) as DOUBLE) "
        f"else cast(cast({total} as VARCHAR) as DOUBLE) end)"
    )


def scaled(number: str, kind: FieldType) -> str:
    """Minor units, already float64, as the value they stand for."""
    return f"({number} / {10**kind.scale}::DOUBLE)" if kind.scale else number


def representable(number: str) -> str:
    """Null for what a float32 cannot hold."""
    return f"case when abs({number}) <= {MAX_FLOAT32} then {number} end"
