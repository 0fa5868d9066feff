"""A decision as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from console.decision_line import DecisionLine
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
