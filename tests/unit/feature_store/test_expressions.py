"""Users' SQL: right on sound input, harmless on any other."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from feature_store.errors import ConfigError, ContractError
from feature_store.expressions import Expression, RowQuery

FIELDS: dict[str, pa.DataType] = {
    "amount": pa.decimal128(12, 2),
    "country": pa.string(),
    "home": pa.string(),
    "moment": pa.timestamp("us"),
}
SCHEMA = pa.schema(FIELDS)
ROWS = pa.record_batch(
    [
        pa.array([12, None, -3], pa.decimal128(12, 2)),
        pa.array(["DE", "FR", None]),
        pa.array(["DE", "DE", "DE"]),
        pa.array([0, 3_600_000_000, 7_200_000_000], pa.timestamp("us")),
    ],
    schema=SCHEMA,
)


def numbers(sql: str) -> list[float]:
    query = RowQuery(SCHEMA, [Expression("x", sql, "features.rows.x")])
    found: list[float] = query.numbers(ROWS)[:, 0].tolist()
    return found


def test_every_row_gets_its_value_in_order_and_null_is_nan() -> None:
    found = numbers("amount * 2")
    assert found[0] == 24.0
    assert math.isnan(found[1])
    assert found[2] == -6.0


def test_conditions_are_one_or_zero() -> None:
    found = numbers("country <> home")
    assert found[:2] == [0.0, 1.0]
    assert math.isnan(found[2])


def test_the_hour_is_the_utc_hour() -> None:
    assert numbers("extract(hour from moment)") == [0.0, 1.0, 2.0]


def test_an_expression_that_fails_on_a_row_is_null_there_and_right_elsewhere() -> None:
    found = numbers("case when country = 'DE' then cast(country as integer) else 1 end")
    assert math.isnan(found[0])
    assert found[1] == 1.0


def test_flags_take_null_for_false() -> None:
    query = RowQuery(SCHEMA, [Expression("abroad", "country <> home", "decision.rules.abroad")])
    assert query.flags(ROWS)[:, 0].tolist() == [False, True, False]


def test_no_rows_and_no_expressions_are_fine() -> None:
    assert RowQuery(SCHEMA, []).numbers(ROWS).shape == (3, 0)
    one = RowQuery(SCHEMA, [Expression("x", "amount", "features.rows.x")])
    assert one.numbers(ROWS.slice(0, 0)).shape == (0, 1)


@pytest.mark.parametrize(
    "sql",
    [
        "amont",
        "amount +",
        "sum(amount)",
        "amount; drop table event",
        "(select 1)",
        "random()",
        "now()",
        "current_date",
        "1 -- comment",
        "amount from read_csv('/etc/passwd')",
        "country",  # a text
        "moment",
        "[amount]",
        "COLUMNS(*)",  # would be four values, and the next expression the second of them
        "epoch(localtimestamp)",
        "epoch(transaction_timestamp())",
        "extract(year from age(moment))",  # counted from today
    ],
)
def test_what_is_not_one_sound_repeatable_number_is_refused_by_key(sql: str) -> None:
    with pytest.raises(ConfigError, match=r"^features\.rows\.x: "):
        numbers(sql)


def test_an_age_between_two_instants_of_the_event_is_repeatable() -> None:
    assert numbers("extract(year from age(moment, moment))") == [0.0, 0.0, 0.0]


def test_words_in_text_are_not_taken_for_functions() -> None:
    assert numbers("country = 'select now'")[:2] == [0.0, 0.0]


def test_batch_of_another_schema_is_refused() -> None:
    query = RowQuery(SCHEMA, [Expression("x", "amount", "features.rows.x")])
    columns = [*ROWS.schema.names[1:], ROWS.schema.names[0]]
    with pytest.raises(ContractError, match="planned for"):
        query.numbers(ROWS.select(columns))


def test_every_batch_is_read_anew() -> None:
    query = RowQuery(SCHEMA, [Expression("x", "amount", "features.rows.x")])
    assert query.numbers(ROWS)[:, 0].tolist()[0::2] == [12.0, -3.0]
    assert query.numbers(ROWS.slice(2, 1))[:, 0].tolist() == [-3.0]
    assert query.numbers(pa.Table.from_batches([ROWS, ROWS]))[:, 0].tolist()[0::3] == [12.0, 12.0]


def test_an_error_that_try_lets_through_is_null_for_its_event_alone() -> None:
    fragile, sound = "country like home escape '#'", "length(country)"
    query = RowQuery(SCHEMA, [Expression("x", fragile, "features.rows.x"), Expression("y", sound, "y")])
    hostile = ROWS.set_column(2, "home", pa.array(["D_", "DE#", "F_"])).set_column(
        1, "country", pa.array(["DE", "DE", "FR"])
    )
    for _ in range(2):
        found = query.numbers(hostile)
        assert found[[0, 2], 0].tolist() == [1.0, 1.0]
        assert math.isnan(found[1, 0])
        assert found[:, 1].tolist() == [2.0, 2.0, 2.0]
