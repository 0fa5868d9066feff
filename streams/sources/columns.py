"""A file's columns as the JSON that the scorer accepts, said in SQL so that no row becomes Python objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.declaration.event import Kind
from feature_store.duck import literal, quoted
from feature_store.errors import ConfigError

if TYPE_CHECKING:
    from feature_store.declaration.event import EventSpec, FieldType, LabelColumn

_FLOATS = {"FLOAT", "DOUBLE"}
_OFFSET = r":\d\d.*(Z|[+-]\d\d(:?\d\d)?)$"
_FIRST, _LAST = "TIMESTAMP '0001-01-01'", "TIMESTAMP '9999-12-31 23:59:59.999999'"
_LEAST = -(2**63)  # stands for null inside
_DIGITS = 38  # as many as DuckDB's decimals have; a declared one has at most 18
_INSTANTS = ("TIMESTAMP", "DATE", "VARCHAR")


def mapped_columns(event: EventSpec, found: dict[str, str], file: str) -> dict[str, str]:
    """Field -> column for every declared field that the file has.

    ``found`` is column -> DuckDB type. Raises ConfigError naming a column that is missed, and the cure.
    """
    columns = {}
    for name, spec in event.fields.items():
        column = event.column_of(name)
        if column in found:
            columns[name] = column
        elif spec.required or name in event.file.columns:
            raise ConfigError(
                f"{file}: has no column {column!r} for the field {name!r}; it has {', '.join(found)}. "
                f"Name the right one in the pipeline file: event.file.columns.{name}: COLUMN"
            )
    label = event.file.label
    if label is not None and label.column not in found:
        raise ConfigError(
            f"{file}: has no column {label.column!r} for the label; it has {', '.join(found)}. "
            "Name the right one in the pipeline file: event.file.label.column, or remove event.file.label"
        )
    return columns


def instant_sql(column: str, duck_type: str, file: str) -> str:
    """A zoneless UTC TIMESTAMP from ``column``; texts may carry an offset. ConfigError for other types."""
    if not duck_type.startswith(_INSTANTS):
        raise ConfigError(
            f"{file}: column {column!r} is {duck_type}; expected a timestamp, a date or RFC 3339 text"
        )
    name = quoted(column)
    plain = f"CAST({name} AS TIMESTAMP)"
    in_utc = f"make_timestamp(epoch_us(CAST({name} AS TIMESTAMPTZ)))"
    if duck_type == "VARCHAR":  # a plain cast would drop the offset without a word
        return f"CASE WHEN regexp_matches({name}, {literal(_OFFSET)}) THEN {in_utc} ELSE {plain} END"
    return in_utc if duck_type == "TIMESTAMP WITH TIME ZONE" else plain


def fraud_sql(label: LabelColumn | None) -> str:
    """Whether a row is labelled fraud: by true or 1, also where a number was written as 1.0.

    A word that is no label fails the query: taken for "no outcome" it would hide every fraud of the file.
    """
    if label is None:
        return "false"
    name = quoted(label.column)
    number, flag = f"TRY_CAST({name} AS DOUBLE)", f"TRY_CAST({name} AS BOOLEAN)"
    refusal = literal(
        f"event.file.label: column {label.column!r} must hold true or 1 for fraud, and false, 0 or nothing "
        "else; it holds "
    )
    return (
        f"CASE WHEN trim(CAST({name} AS VARCHAR)) <> '' AND {number} IS NULL AND {flag} IS NULL "
        f"THEN error({refusal} || CAST({name} AS VARCHAR)) ELSE coalesce({number} = 1, {flag}, false) END"
    )


def text_sql(column: str, kind: FieldType, duck_type: str, file: str) -> str:
    """The value of ``column`` as text of the declared type, without quotes; NULL stays NULL."""
    name = quoted(column)
    match kind.kind:
        case Kind.TIMESTAMP:
            return f"strftime({instant_sql(column, duck_type, file)}, '%Y-%m-%dT%H:%M:%S.%fZ')"
        case Kind.DECIMAL:
            value = f"CAST({name} AS DECIMAL({kind.precision},{kind.scale}))"
            text = f"CAST({value} AS VARCHAR)"
            if duck_type in _FLOATS:
                return f"CASE WHEN isfinite({name}) THEN {text} END"
            refusal = literal(f"column {column!r} has more digits behind the point than {kind}: ")
            return (
                f"CASE WHEN {name} IS NULL THEN NULL WHEN {_unrounded(name, kind)} = {value} THEN {text} "
                f"ELSE error({refusal} || CAST({name} AS VARCHAR)) END"
            )
        case Kind.INTEGER if duck_type in _FLOATS:
            refusal = literal(f"column {column!r} holds numbers that are not whole")
            return (
                f"CASE WHEN {name} IS NULL OR NOT isfinite({name}) THEN NULL "
                f"WHEN {name} = trunc({name}) THEN CAST(CAST({name} AS BIGINT) AS VARCHAR) "
                f"ELSE error({refusal}) END"
            )
        case Kind.INTEGER:
            return f"CAST(CAST({name} AS BIGINT) AS VARCHAR)"
        case Kind.FLOAT:
            return (
                f"CASE WHEN isfinite(CAST({name} AS DOUBLE)) THEN CAST(CAST({name} AS DOUBLE) AS VARCHAR) END"
            )
        case Kind.BOOLEAN:
            return f"CAST(CAST({name} AS BOOLEAN) AS VARCHAR)"
        case Kind.STRING:
            return f"CAST({name} AS VARCHAR)"


def typed_sql(column: str, kind: FieldType, duck_type: str, file: str) -> str:
    """The value of ``column`` in the declared type; NULL where it is none (``fits_sql`` tells such a row)."""
    name = quoted(column)
    match kind.kind:
        case Kind.TIMESTAMP:
            instant = f"try({instant_sql(column, duck_type, file)})"
            return f"CASE WHEN {instant} BETWEEN {_FIRST} AND {_LAST} THEN {instant} END"
        case Kind.DECIMAL:
            value = f"TRY_CAST({name} AS DECIMAL({kind.precision},{kind.scale}))"
            fits = f"isfinite({name})" if duck_type in _FLOATS else f"{_unrounded(name, kind)} = {value}"
            return f"CASE WHEN {fits} THEN {value} END"
        case Kind.INTEGER:
            whole = f"TRY_CAST({name} AS BIGINT)"
            number = f"TRY_CAST({name} AS DOUBLE)"
            return f"CASE WHEN {number} = trunc({number}) AND {whole} > {_LEAST} THEN {whole} END"
        case Kind.FLOAT:
            number = f"TRY_CAST({name} AS DOUBLE)"
            return f"CASE WHEN isfinite({number}) THEN {number} END"
        case Kind.BOOLEAN:
            return f"TRY_CAST({name} AS BOOLEAN)"
        case Kind.STRING:
            return f"CAST({name} AS VARCHAR)"


def fits_sql(column: str, kind: FieldType, duck_type: str, file: str, *, required: bool) -> str:
    """Whether a row's value of ``column`` is one of the declared type; what is absent must not be required.

    A float that is no number (NaN, infinite) counts as absent.
    """
    value = typed_sql(column, kind, duck_type, file)
    absent = f"{quoted(column)} IS NULL"
    if duck_type in _FLOATS:
        absent += f" OR NOT isfinite({quoted(column)})"
    return f"{value} IS NOT NULL" if required else f"({value} IS NOT NULL OR {absent})"


def _unrounded(name: str, kind: FieldType) -> str:
    """Money with every digit that it has: a live event with more than are declared is refused, too.

    A binary float is rounded instead, since it cannot hold most of what has two digits.
    """
    return f"TRY_CAST({name} AS DECIMAL({_DIGITS},{_DIGITS - kind.precision + kind.scale}))"


def json_sql(event: EventSpec, columns: dict[str, str], found: dict[str, str], file: str) -> str:
    """A JSON object of every mapped field, as text."""
    members = []
    for name, column in columns.items():
        kind = event.fields[name].type
        value = text_sql(column, kind, found[column], file)
        if kind.kind is Kind.STRING:
            value = f"CAST(to_json({value}) AS VARCHAR)"
        elif kind.kind is Kind.TIMESTAMP:
            value = f"'\"' || {value} || '\"'"
        members.append(f"'\"{name}\":' || coalesce({value}, 'null')")
    return "'{' || " + " || ',' || ".join(members) + " || '}'"
