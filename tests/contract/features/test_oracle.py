"""The oracle against values worked out by hand: what it says is what the engines are held to."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.support.oracle import Delta, Event, Oracle
from tests.support.oracle_numbers import ANYTHING, LARGEST, NULL, Expected
from tests.support.streams import MINUTE, NOON
from tests.support.streams_pipeline import FIELDS, MEANING, pipeline_of, where


def event(seq: int, minutes: float, **values: Any) -> Event:
    """An event of card `a`, so many minutes after noon."""
    let_through = values.pop("let_through", True)
    decided_seq = values.pop("decided_seq", seq)
    fields = {**dict.fromkeys(FIELDS), "id": "id", "moment": NOON + round(minutes * MINUTE), "card": "a"}
    return Event({**fields, **values}, 0, seq, decided_seq, let_through)


def delta(seq: int, about: Event, fraud: int = 1, *, let_through: bool = True) -> Delta:
    return Delta(about.values, 0, about.values["moment"], seq, fraud, let_through)


def read(spec: dict[str, Any], history: list[Event | Delta], of: int = -1) -> dict[str, float]:
    """The features of one event, the last of the history where not said, without the entity in front."""
    pipeline = pipeline_of([{"entity": "card", **spec}])
    asked = history[of]
    assert isinstance(asked, Event)
    found = Oracle(pipeline, MEANING).vector(asked, history)
    names = [feature.name.removeprefix("card_") for feature in pipeline.feature_vector]
    return dict(zip(names, [each.value for each in found], strict=True))


HISTORY: list[Event | Delta] = [
    event(0, 0, money=1_00, weight=0.5, shop="x"),
    event(1, 4, money=None, weight=-2.0, shop="y"),
    event(2, 2, money=4_00, weight=None, shop="x"),
    event(3, 5, money=7_00, weight=8.0, shop="7"),
]
NAN = pytest.approx(math.nan, nan_ok=True)


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        # At minute 5 the window (1, 5] holds the events of minutes 4 and 2.
        ({"windows": ["4m"], "count": True}, {"count_4m": 2}),
        ({"windows": ["4m"], "sum": "money"}, {"sum_money_4m": 4}),
        ({"windows": ["4m"], "mean": "money"}, {"mean_money_4m": 4}),
        ({"windows": ["1m"], "mean": "money", "sum": "money"}, {"sum_money_1m": 0, "mean_money_1m": NAN}),
        # A window is open at its start: minute 0 is outside of five minutes, inside of 1 ms more.
        ({"windows": ["5m"], "count": True}, {"count_5m": 2}),
        ({"windows": ["5m 1ms"], "count": True}, {"count_300001ms": 3}),
        # ... and closed at its end: with a delay of one minute the event of minute 4 is the last inside.
        ({"windows": ["1h"], "count": True, "delay": "1m"}, {"count_1h_delay_1m": 3}),
        ({"windows": ["1h"], "count": True, "delay": "61s"}, {"count_1h_delay_61s": 2}),
        ({"windows": ["1h"], "count": True, "include_current": True}, {"count_1h_incl": 4}),
        ({"windows": ["1h"], "min": "weight", "max": "money"}, {"min_weight_1h": -2, "max_money_1h": 4}),
        ({"windows": ["1h"], "std": "money"}, {"std_money_1h": pytest.approx(math.sqrt(4.5))}),
        ({"windows": ["4m"], "std": "money"}, {"std_money_4m": NAN}),
        ({"windows": ["1h"], "distinct": ["shop", "money"]}, {"distinct_shop_1h": 2, "distinct_money_1h": 2}),
        # The newest by event time, null values passed over.
        (
            {"last": {"money": 3}, "horizon": "1h"},
            {"last_money_1_1h": 4, "last_money_2_1h": 1, "last_money_3_1h": NAN},
        ),
        ({"last": {"weight": 1}, "horizon": "1h", "delay": "2m"}, {"last_weight_1_1h_delay_2m": 0.5}),
        ({"since_last": True, "horizon": "1h"}, {"since_last_1h": 60}),
        ({"since_last": True, "horizon": "1m"}, {"since_last_1m": NAN}),
        ({"since_last": True, "horizon": "1m", "empty": -1}, {"since_last_1m": -1}),
        (
            {"windows": ["1h"], "where": where("nowhere"), "count": True, "rate": True, "since_last": True},
            {"count_nowhere_1h": 0, "rate_nowhere_1h": 0, "since_last_nowhere_1h": NAN},
        ),
        (
            {"windows": ["1m"], "where": where("nowhere"), "rate": True, "empty": 9},
            {"rate_nowhere_1m": 9},
        ),
        (
            {"windows": ["1h"], "ratio": [["2m", "1h"]], "count": True, "sum": "money"},
            {
                "count_1h": 3,
                "sum_money_1h": 5,
                "count_2m_over_1h": pytest.approx(1 / 3),
                "sum_money_2m_over_1h": 0,
            },
        ),
        (
            {"windows": ["1m"], "ratio": [["1h", "1m"]], "count": True, "empty": -1},
            {"count_1h_over_1m": -1, "count_1m": 0},
        ),
    ],
)  # fmt: skip
def test_a_window_by_hand(spec: dict[str, Any], values: dict[str, Any]) -> None:
    assert read(spec, HISTORY) == values


def test_only_what_was_applied_before_is_seen() -> None:
    seen = [read({"windows": ["1h"], "count": True}, HISTORY, of)["count_1h"] for of in range(4)]
    assert seen == [0, 1, 1, 3]  # the event of minute 4 came before that of minute 2, which lies behind it


def test_conditions_look_at_the_event_that_is_counted() -> None:
    history: list[Event | Delta] = [
        event(0, 0, money=100_01),
        event(1, 1, money=100_00),
        event(2, 2, money=None),
        event(3, 3, money=300_00),
    ]
    spec = {"windows": ["1h"], "where": where("dear"), "count": True, "rate": True, "sum": "money"}
    assert read(spec, history) == {
        "count_dear_1h": 1,
        "rate_dear_1h": pytest.approx(1 / 3),
        "sum_money_dear_1h": 100.01,
    }


def test_an_event_without_the_entity_has_no_feature_and_counts_for_nobody() -> None:
    history: list[Event | Delta] = [event(n, n, shop=shop) for n, shop in enumerate(["x", None, "x", None])]
    spec = {"entity": ["card", "shop"], "windows": ["1h"], "count": True, "empty": 5}
    counts = [read(spec, history, of)["shop_count_1h"] for of in range(4)]
    assert counts == [0, NAN, 1, NAN]


def test_known_fraud_is_counted_from_the_delta_on_at_the_time_of_its_event() -> None:
    first, second = event(0, 0), event(1, 1)
    history: list[Event | Delta] = [
        first,
        second,
        delta(2, first),
        event(3, 3),
        delta(4, second),
        delta(5, first, -1),
        event(6, 4),
    ]
    spec = {"windows": ["4m"], "frauds": True, "fraud_rate": True}
    assert read(spec, history, 1) == {"frauds_4m": 0, "fraud_rate_4m": 0}
    assert read(spec, history, 3) == {"frauds_4m": 1, "fraud_rate_4m": 0.5}
    # (0, 4] leaves out both the first event and everything that was said about it.
    assert read(spec, history, 6) == {"frauds_4m": 1, "fraud_rate_4m": 0.5}


def test_the_rate_of_fraud_is_among_what_was_known_to_be_let_through() -> None:
    stopped = event(0, 0, let_through=False)
    through = event(1, 1, decided_seq=3)
    history: list[Event | Delta] = [
        stopped,
        through,
        delta(2, stopped, let_through=False),
        event(3, 2, decided_seq=3),
        delta(4, through),
        event(5, 3),
    ]
    spec = {"windows": ["1h"], "frauds": True, "fraud_rate": True}
    assert read(spec, history, 3) == {"frauds_1h": 1, "fraud_rate_1h": NAN}
    assert read(spec, history, 5) == {"frauds_1h": 2, "fraud_rate_1h": 0.5}


def test_a_sum_of_money_is_one_exact_integer_before_it_is_a_float() -> None:
    history: list[Event | Delta] = [
        event(0, 0, money=10**18 - 1, points=2**62),
        event(1, 1, money=-(10**18 - 2), points=2**62 + 1),
        event(2, 2),
    ]
    found = read({"windows": ["1h"], "sum": ["money", "points"]}, history)
    assert found == {"sum_money_1h": 0.01, "sum_points_1h": float(2**63 + 1)}


def test_rows_and_categories_stand_in_front() -> None:
    pipeline = pipeline_of([], rows={"doubled": "weight * 2"}, categories={"shop": ["x", "7"]})
    found = Oracle(pipeline, MEANING).vector(event(0, 0, weight=2.5, shop="7"), [])
    assert found == [Expected(5.0), Expected(1.0)]


def test_what_is_allowed() -> None:
    assert Expected(1.0).allows(1.0)
    assert not Expected(1.0).allows(math.nextafter(1.0, 2.0))
    assert Expected(1.0, 0.5).allows(1.5)
    assert not Expected(1.0, 0.5).allows(1.6)
    assert NULL.allows(math.nan)
    assert not NULL.allows(0.0)
    assert not Expected(0.0).allows(math.nan)
    assert not Expected(0.0).allows(math.inf)


def test_beyond_float32_is_null() -> None:
    assert Expected(LARGEST).allows(LARGEST)
    assert not Expected(LARGEST).allows(math.nan)
    beyond = math.nextafter(LARGEST, math.inf)
    assert Expected(beyond).allows(math.nan)
    assert not Expected(beyond).allows(beyond)


def test_a_ratio_carries_the_tolerance_of_both_sides() -> None:
    ratio = Expected(10.0, 1.0).over(Expected(4.0, 1.0))
    assert ratio.value == 2.5
    assert ratio.allows(11 / 3)
    assert ratio.allows(9 / 5)
    assert Expected(1.0).over(Expected(0.0)) == NULL
    assert Expected(1.0).over(Expected(0.0, 1.0)) is ANYTHING
    assert Expected(3.0).over(NULL) == NULL
