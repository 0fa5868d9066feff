"""The twin on histories small enough to count by hand; seq is the order of the list unless said otherwise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from feature_store.errors import ConfigError, ContractError
from feature_store.offline import offline_features, write_features
from tests.support.oracle import Delta, Event
from tests.support.streams_pipeline import pipeline_of
from tests.support.twin import stored, twin

if TYPE_CHECKING:
    from collections.abc import Sequence

SECOND = 1_000_000
NOON = 1_767_614_400 * SECOND


def event(
    seq: int, at: float, *, decided: int | None = None, let_through: bool = True, **values: Any
) -> Event:
    """An event ``at`` seconds after noon, of card `a` unless said otherwise."""
    fields = dict.fromkeys(("shop", "terminal", "abroad", "seen", "money", "share", "points", "weight"))
    known = {"id": f"e{seq}", "moment": NOON + round(at * SECOND), "card": "a", **fields, **values}
    return Event(known, 0, seq, seq if decided is None else decided, let_through)


def delta(seq: int, about: Event, fraud: int = 1) -> Delta:
    return Delta(about.values, about.partition, about.values["moment"], seq, fraud, about.let_through)


def column(window: dict[str, Any], history: Sequence[Event | Delta], name: str) -> list[float | None]:
    """One feature of every event, by seq."""
    found = twin(pipeline_of([{"entity": "card", **window}]), history, [name])
    return [row[name] for _, row in sorted(found.items())]


FIVE = [
    event(1, 0, money=100, points=4, weight=0.5, shop="x"),
    event(2, 10, money=None, points=None, weight=None, shop=None),
    event(3, 20, money=-250, points=4, weight=1.5, shop="y"),
    event(4, 30, money=301, points=7, weight=-2.0, shop="x"),
    event(5, 60, money=0, points=1, weight=0.0, shop="x"),
]


@pytest.mark.parametrize(
    ("declared", "name", "expected"),
    [
        ({"count": True}, "card_count_30s", [0, 1, 2, 2, 0]),
        ({"sum": "money"}, "card_sum_money_30s", [0, 1.0, 1.0, -2.5, 0]),
        ({"mean": "money"}, "card_mean_money_30s", [None, 1.0, 1.0, -2.5, None]),
        ({"min": "points"}, "card_min_points_30s", [None, 4, 4, 4, None]),
        ({"max": "weight"}, "card_max_weight_30s", [None, 0.5, 0.5, 1.5, None]),
        ({"std": "money"}, "card_std_money_30s", [None] * 5),
        ({"distinct": "shop"}, "card_distinct_shop_30s", [0, 1, 1, 1, 0]),
        ({"since_last": True}, "card_since_last_30s", [None, 10, 10, 10, None]),
        ({"last": {"money": 2}}, "card_last_money_1_30s", [None, 1.0, 1.0, -2.5, None]),
        ({"last": {"money": 2}}, "card_last_money_2_30s", [None] * 5),
        ({"count": True, "include_current": True}, "card_count_30s_incl", [1, 2, 3, 3, 1]),
        ({"sum": "money", "include_current": True}, "card_sum_money_30s_incl", [1.0, 1.0, -1.5, 0.51, 0]),
        ({"count": True, "delay": "20s"}, "card_count_30s_delay_20s", [0, 0, 1, 2, 2]),
        ({"count": True, "where": {"four": "points = 4"}}, "card_count_four_30s", [0, 1, 1, 1, 0]),
        ({"rate": True, "where": {"four": "points = 4"}}, "card_rate_four_30s", [None, 1, 0.5, 0.5, None]),
        ({"mean": "money", "empty": -1}, "card_mean_money_30s", [-1, 1.0, 1.0, -2.5, -1]),
    ],
)
def test_each_aggregate_of_what_lies_in_the_half_open_window(
    declared: dict[str, Any], name: str, expected: list[float | None]
) -> None:
    assert column({"windows": ["30s"], **declared}, FIVE, name) == expected


def test_a_ratio_is_null_over_nothing() -> None:
    found = column(
        {"windows": ["1m"], "ratio": [["10s", "1m"]], "count": True}, FIVE, "card_count_10s_over_1m"
    )
    assert found == [None, 0.0, 0.0, 0.0, 0.0]
    found = column(
        {"windows": ["1m"], "ratio": [["20s", "1m"]], "sum": "money"}, FIVE, "card_sum_money_20s_over_1m"
    )
    assert found == [None, 1.0, 0.0, 2.5 / 1.5, 0.0]


def test_a_condition_may_have_the_name_of_a_row_expression() -> None:
    declared = pipeline_of(
        [{"entity": "card", "windows": ["1m"], "count": True, "where": {"dear": "points > 1"}}],
        rows={"dear": "weight * 2"},
    )
    history = [event(1, 0, points=1, weight=3.0), event(2, 1, points=2, weight=4.0), event(3, 2, weight=5.0)]
    found = [row for _, row in sorted(twin(declared, history, ["dear", "card_count_dear_1m"]).items())]
    assert [row["dear"] for row in found] == [6.0, 8.0, 10.0]
    assert [row["card_count_dear_1m"] for row in found] == [0, 0, 1]


def test_standard_deviation_of_a_sample() -> None:
    (_, _, _, fourth, _) = column({"windows": ["1m"], "std": "money"}, FIVE, "card_std_money_1m")
    assert fourth == pytest.approx(math.sqrt(2 * 1.75**2))


def test_equal_times_are_seen_in_applied_order() -> None:
    history = [event(1, 0, points=1), event(2, 0, points=2), event(3, 0, points=3)]
    assert column({"windows": ["1s"], "sum": "points"}, history, "card_sum_points_1s") == [0, 1, 3]
    last = {"last": {"points": 2}, "horizon": "1s"}
    assert column(last, history, "card_last_points_2_1s") == [None, None, 1]


LATE = [
    event(1, 0, points=5, weight=1.0, shop="x"),
    event(2, 10, points=6, weight=2.0, shop="y"),
    event(3, 40, points=7, weight=4.0, shop="x"),
    event(4, 5, points=1, weight=8.0, shop="z"),
    event(5, 41, points=2, weight=16.0, shop="y"),
]
"""The fourth is late: the second and third, later in time, were decided without it."""


@pytest.mark.parametrize(
    ("declared", "name", "expected"),
    [
        ({"count": True}, "card_count_1m", [0, 1, 2, 1, 4]),
        ({"sum": "weight"}, "card_sum_weight_1m", [0, 1.0, 3.0, 1.0, 15.0]),
        ({"min": "points"}, "card_min_points_1m", [None, 5, 5, 5, 1]),
        ({"max": "weight"}, "card_max_weight_1m", [None, 1.0, 2.0, 1.0, 8.0]),
        ({"distinct": "shop"}, "card_distinct_shop_1m", [0, 1, 2, 1, 3]),
        ({"since_last": True}, "card_since_last_1m", [None, 10, 30, 5, 1]),
        ({"last": {"points": 3}}, "card_last_points_3_1m", [None, None, None, None, 1]),
        ({"last": {"points": 2}}, "card_last_points_2_1m", [None, None, 5, None, 6]),
        ({"std": "points"}, "card_std_points_1m", [None, None, math.sqrt(0.5), None, math.sqrt(20.75 / 3)]),
        ({"count": True, "delay": "10s"}, "card_count_1m_delay_10s", [0, 1, 2, 0, 3]),
        ({"count": True, "include_current": True}, "card_count_1m_incl", [1, 2, 3, 2, 5]),
    ],
)
def test_what_comes_late_counts_for_those_after_it_only(
    declared: dict[str, Any], name: str, expected: list[float | None]
) -> None:
    found = column({"windows": ["1m"], **declared}, list(LATE), name)
    assert found == [None if each is None else pytest.approx(each, rel=1e-12) for each in expected]


def test_an_entity_with_a_missing_part_has_no_features_and_is_not_counted() -> None:
    pipeline = pipeline_of([{"entity": ["card", "shop"], "windows": ["1m"], "count": True, "empty": 9}])
    history = [event(1, 0, shop="x"), event(2, 1), event(3, 2, shop="x"), event(4, 3, shop="y")]
    found = twin(pipeline, history)
    assert [row["card_shop_count_1m"] for _, row in sorted(found.items())] == [0, None, 1, 0]


def test_sums_are_exact_beyond_64_bits() -> None:
    most = 10**18 - 1
    history = [event(seq, seq, money=most) for seq in range(1, 31)]
    found = column({"windows": ["1m"], "sum": "money"}, history, "card_sum_money_1m")
    assert found == [float(most * count) / 100 for count in range(30)]
    means = column({"windows": ["1m"], "mean": "money"}, history, "card_mean_money_1m")
    assert means[1:] == [float(most * count) / (count * 100) for count in range(1, 30)]


def test_what_a_float32_cannot_hold_is_null_and_not_empty() -> None:
    history = [event(1, 0, weight=3e38), event(2, 1, weight=3e38), event(3, 2)]
    found = column({"windows": ["1m"], "sum": "weight", "empty": 7}, history, "card_sum_weight_1m")
    assert found == [0, pytest.approx(3e38), None]


def test_outcomes_count_from_when_they_were_known_until_taken_back() -> None:
    fraud = event(1, 0)
    history: list[Event | Delta] = [
        fraud, event(2, 1), delta(3, fraud), event(4, 2), delta(5, fraud, -1), event(6, 3), delta(7, fraud),
        event(8, 60),
    ]  # fmt: skip
    declared = {"windows": ["1m"], "frauds": True, "fraud_rate": True}
    assert column(declared, history, "card_frauds_1m") == [0, 0, 1, 0, 0]
    assert column(declared, history, "card_fraud_rate_1m") == [None, 0, 0.5, 0, 0]


def test_a_delayed_outcome_window_ends_before_the_event() -> None:
    fraud = event(1, 0)
    history: list[Event | Delta] = [
        fraud,
        delta(2, fraud),
        event(3, 9),
        event(4, 10),
        event(5, 69),
        event(6, 70),
    ]
    declared = {"windows": ["1m"], "frauds": True, "delay": "10s"}
    assert column(declared, history, "card_frauds_1m_delay_10s") == [0, 0, 1, 1, 0]


def test_the_rate_of_fraud_knows_an_action_only_after_its_step() -> None:
    stopped = event(3, 2, decided=4, let_through=False)
    history = [event(1, 0, decided=2), event(2, 1, decided=2), stopped, event(4, 3, decided=4)]
    known: list[Event | Delta] = [delta(5, history[0]), delta(6, stopped), event(7, 4, decided=7)]
    declared = {"windows": ["1m"], "fraud_rate": True}
    found = column(declared, [*history, *known], "card_fraud_rate_1m")
    assert found == [None, None, 0, 0, pytest.approx(1 / 3)]


def test_without_deltas_no_fraud_is_known() -> None:
    pipeline = pipeline_of([{"entity": "card", "windows": ["1m"], "frauds": True}])
    connection = stored(pipeline, FIVE)
    table = offline_features(connection, pipeline, deltas=None)
    assert table.column("card_frauds_1m").to_pylist() == [0] * 5


def test_categories_and_row_expressions() -> None:
    pipeline = pipeline_of(
        [{"entity": "card", "windows": ["1m"], "count": True}],
        rows={"cents": "money * 100", "as_number": "cast(shop as integer)"},
        categories={"shop": ["7", "it's"]},
    )
    history = [event(1, 0, money=250, shop="7"), event(2, 1, shop="it's"), event(3, 2, shop="other")]
    found = [row for _, row in sorted(twin(pipeline, history).items())]
    assert [row["cents"] for row in found] == [250, None, None]
    assert [row["as_number"] for row in found] == [7, None, None]
    assert [row["shop_code"] for row in found] == [0, 1, None]
    assert list(found[0]) == ["id", *(feature.name for feature in pipeline.feature_vector)]


def test_a_subset_needs_only_its_own_columns() -> None:
    pipeline = pipeline_of([{"entity": "card", "windows": ["1m"], "count": True, "sum": "money"}])
    connection = stored(pipeline, FIVE)
    connection.execute("alter table events drop column money")
    table = offline_features(connection, pipeline, only=["card_count_1m"])
    assert table.column_names == ["source_partition", "seq", "id", "card_count_1m"]
    with pytest.raises(ContractError, match="events: lacks the columns money"):
        offline_features(connection, pipeline)
    with pytest.raises(ConfigError, match="card_count_2m: not declared"):
        offline_features(connection, pipeline, only=["card_count_2m"])


def test_features_go_into_a_table_and_nothing_else_stays_behind() -> None:
    pipeline = pipeline_of([{"entity": "card", "windows": ["1m"], "count": True}])
    connection = stored(pipeline, FIVE)
    write_features(connection, pipeline, "computed")
    assert connection.execute("select sum(card_count_1m) from computed").fetchall() == [(9,)]
    tables = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
    assert tables == {"events", "deltas", "computed"}


def test_a_history_without_events() -> None:
    pipeline = pipeline_of(
        [{"entity": "card", "windows": ["1m"], "count": True, "fraud_rate": True}], rows={"cents": "money"}
    )
    assert twin(pipeline, []) == {}
