"""A decision as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from console.decision_line import DecisionLine, duration
from console.decisions_meant import decisions_meant
from feature_store.errors import ConfigError
from streams.messages import Amended, Decision, Source
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

FIRST = Amended("decisions", 1, 606, "2026-01-05T00:00:01.000000Z")
DECIDED = Decision(
    event_id="e1",
    event_time="2026-01-05T00:00:00.000000Z",
    decided_at="2026-01-05T00:10:00.000000Z",
    event={"customer_id": "c1"},
    action="review",
    policy_action="review",
    propensity=0.02,
    score=0.25,
    model="m1",
    reasons=[],
    rules=[],
    fallback=None,
    shadow={},
    release=1,
    source=Source("events", 1, 700),
    late=True,
)


class Record:
    """As much of a Kafka message as a line needs."""

    def __init__(self, decision: Decision) -> None:
        self._value = msgspec.json.encode(decision)

    def value(self) -> bytes:
        return self._value


def line_of(folder: Path, decision: Decision, *, as_json: bool) -> str:
    lines = DecisionLine(private_pipeline(folder, "unit")[1], as_json=as_json)
    return lines.of(Record(decision))  # type: ignore[arg-type]


def test_an_amended_decision_names_the_one_it_replaces(tmp_path: Path) -> None:
    amended = msgspec.structs.replace(DECIDED, amends=FIRST)
    assert line_of(tmp_path, amended, as_json=False).endswith(" amends=decisions[1]@606")
    said = msgspec.json.decode(line_of(tmp_path, amended, as_json=True))
    assert said["amends"] == msgspec.to_builtins(FIRST)


def test_any_other_says_nothing_of_it(tmp_path: Path) -> None:
    assert "amends" not in line_of(tmp_path, DECIDED, as_json=False)
    assert "amends" not in msgspec.json.decode(line_of(tmp_path, DECIDED, as_json=True))


def test_how_long_it_took_is_told(tmp_path: Path) -> None:
    assert line_of(tmp_path, DECIDED, as_json=False).startswith("2026-01-05T00:00:00.000000Z   +10m review ")


@pytest.mark.parametrize(
    ("microseconds", "expected"),
    [
        (0, "+0ms"),
        (12_999, "+12ms"),
        (3_240_000, "+3.2s"),
        (59_940_000, "+59.9s"),
        (-60_000_000, "-1m"),
        (7_200_000_000, "+2h"),
        (172_800_000_000, "+2d"),
    ],
)
def test_durations_are_short(microseconds: int, expected: str) -> None:
    assert duration(microseconds) == expected


@pytest.mark.parametrize(
    ("actions", "entities", "meant"),
    [
        ([], [], True),
        (["review"], [], True),
        (["review", "decline"], [], True),
        (["decline"], [], False),
        ([], ["customer_id=c1"], True),
        ([], ["customer_id=c11"], False),
        ([], ["amount=12.50"], True),
        ([], ["amount=dear"], False),
        ([], ["country=DE"], False),  # null
        (["review"], ["customer_id=c1", "amount=1"], False),
    ],
)
def test_decisions_are_narrowed(tmp_path: Path, actions: list[str], entities: list[str], meant: bool) -> None:
    _, pipeline = private_pipeline(tmp_path, "unit")
    event = {"customer_id": "c1", "amount": 12.5, "country": None}
    decision = msgspec.structs.replace(DECIDED, event=event)
    line = DecisionLine(pipeline, as_json=False, meant=decisions_meant(pipeline, actions, entities))
    assert line.means(Record(decision)) is meant  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("actions", "entities", "why"),
    [
        (["refuse"], [], "approve, review, decline"),
        ([], ["customer_id"], "FIELD=VALUE"),
        ([], ["card_id=x"], "passthrough: customer_id"),
    ],
)
def test_what_cannot_narrow_is_refused(
    tmp_path: Path, actions: list[str], entities: list[str], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        decisions_meant(private_pipeline(tmp_path, "unit")[1], actions, entities)
