"""Features in words: one sentence each, which says what the numbers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from feature_store.declaration.aggregates import Aggregate, Condition, WindowFeature
from feature_store.declaration.words import category_words, explained, row_words, window_words
from feature_store.units import parse_duration
from tests.support.payments import pipeline_of, shipped_tree

if TYPE_CHECKING:
    from pathlib import Path

ONLINE = Condition("online", "channel =\n  'online'")
WEEK = "events of this customer in the 7 days before this event"
NULL = "; null where there is none"


def feature(
    aggregate: Aggregate, column: str | None = None, window: str = "7d", **more: Any
) -> WindowFeature:
    more |= {name: parse_duration(more[name]) for name in ("delay", "over") if name in more}
    return WindowFeature(("customer_id",), aggregate, column, parse_duration(window), **more)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (feature(Aggregate.COUNT), f"number of {WEEK}"),
        (
            feature(Aggregate.COUNT, window="1h", include_current=True),
            "number of events of this customer in the 1 hour up to this event, itself included",
        ),
        (
            feature(Aggregate.SUM, "amount", "24h"),
            "sum of amount over the events of this customer in the 24 hours before this event",
        ),
        (
            feature(Aggregate.MEAN, "amount", "90m"),
            f"mean of amount over the events of this customer in the 90 minutes before this event{NULL}",
        ),
        (
            feature(Aggregate.MIN, "amount", empty=0.0),
            f"least amount among the {WEEK}; 0 where there is none",
        ),
        (
            feature(Aggregate.MAX, "amount"),
            f"greatest amount among the {WEEK}{NULL}",
        ),
        (
            feature(Aggregate.STD, "amount"),
            f"sample standard deviation of amount over the {WEEK}; null where there are fewer than two",
        ),
        (
            feature(Aggregate.DISTINCT, "country"),
            f"number of different values of country among the {WEEK}",
        ),
        (
            feature(Aggregate.LAST, "amount", position=1),
            f"newest amount among the {WEEK}{NULL}",
        ),
        (
            feature(Aggregate.LAST, "amount", position=3),
            f"3rd newest amount among the {WEEK}; null where there are fewer",
        ),
        (
            feature(Aggregate.SINCE_LAST),
            f"seconds since the newest of the {WEEK}{NULL}",
        ),
        (
            feature(Aggregate.RATE, condition=ONLINE, delay="24h"),
            (
                "share of those where channel = 'online' among the events of this customer from 8 days to 24 "
                f"hours before this event{NULL}"
            ),
        ),
        (
            feature(Aggregate.COUNT, condition=ONLINE),
            "number of events of this customer where channel = 'online' in the 7 days before this event",
        ),
        (
            feature(Aggregate.MEAN, "amount", "24h", over="30d"),
            (
                "mean of amount over the events of this customer in the 24 hours before this event, divided "
                "by the same in the 30 days before this event; null where there is nothing to divide, or to "
                "divide by"
            ),
        ),
        (
            feature(Aggregate.FRAUDS, delay="7d"),
            (
                "number known to be fraud by then among the events of this customer from 14 to 7 days before "
                "this event"
            ),
        ),
        (
            feature(Aggregate.FRAUD_RATE, delay="7d", empty=0.0),
            (
                "share of fraud known by then among the events of this customer that were let through from "
                "14 to 7 days before this event; 0 where there is none"
            ),
        ),
    ],
    ids=lambda each: each.name if isinstance(each, WindowFeature) else "",
)
def test_a_window_in_words(declared: WindowFeature, told: str) -> None:
    assert window_words(declared) == told


@pytest.mark.parametrize(("position", "said"), [(2, "2nd"), (11, "11th"), (21, "21st"), (22, "22nd")])
def test_positions_are_counted_as_people_do(position: int, said: str) -> None:
    assert window_words(feature(Aggregate.LAST, "amount", position=position)).startswith(f"{said} newest ")


def test_what_comes_from_the_event_alone() -> None:
    assert row_words("amount\n  > 5") == "of the event itself: amount > 5"
    assert category_words("channel", ("online", "shop")) == (
        "number of the event's channel in the declared list: online 0, shop 1; null for any other value"
    )
    assert "h 7 and 2 more; null" in category_words("channel", tuple("abcdefghij"))


def test_the_vector_is_explained_in_its_order(tmp_path: Path) -> None:
    tree = shipped_tree()
    tree["features"]["categories"] = {"channel": ["online", "shop"]}
    tree["features"]["windows"] += [
        {"entity": "terminal_id", "windows": ["7d"], "frauds": True},
        {"entity": ["customer_id", "device_id"], "windows": ["1h"], "count": True},
    ]
    _, pipeline = pipeline_of(tree, tmp_path)
    told = explained(pipeline)
    assert [(each.name, each.hash, each.dtype) for each in told] == [
        (each.name, each.hash, each.dtype) for each in pipeline.feature_vector
    ]
    named = {each.name: each for each in told}
    assert (named["night"].kind, named["night"].entity, named["night"].state) == ("row", (), "none")
    assert (named["channel_code"].kind, named["channel_code"].dtype) == ("category", "category")
    assert named["customer_id_count_1h"].state == "per partition"
    assert named["terminal_id_frauds_7d"].kind == "outcomes"
    assert named["terminal_id_frauds_7d"].state == "over all partitions"
    assert named["customer_id_device_id_count_1h"].words == (
        "number of events of this customer and device in the 1 hour before this event; null where the event "
        "has no device_id"
    )
