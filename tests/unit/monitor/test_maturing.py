from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.declaration.outcomes import OutcomeSpec
from feature_store.units import to_text
from streams.messages import Label, Outcome
from streams.monitor.maturing import Maturing
from streams.monitor.outcomes import Waiting, Word
from streams.monitor.quality import UNKNOWN

_HOUR = 3_600_000_000
_SPEC = OutcomeSpec.model_validate({"sources": {"analyst": "1h", "chargeback": "3h"}})


@dataclass(frozen=True)
class Decided:
    event: int
    time: int
    stopped: bool
    through: bool


@dataclass(frozen=True)
class Told:
    event: int
    label: Label
    source: str


@dataclass(frozen=True)
class Clock:
    now: int


def _follow(maturing: Maturing, decided: list[Decided]) -> None:
    maturing.decided(
        [f"e{one.event}" for one in decided],
        np.array([one.time for one in decided]),
        np.full(len(decided), 5),
        np.zeros(len(decided), np.int64),
        np.array([one.stopped for one in decided]),
        np.array([one.through for one in decided]),
        np.ones(len(decided)),
    )


def _tell(maturing: Maturing, told: Told) -> None:
    maturing.told(Outcome(f"e{told.event}", told.label, to_text(0), told.source))


def _oracle(steps: list[Decided | Told | Clock]) -> dict[str, int]:
    """One event after the other: who spoke last among those that count most, until it was mature."""
    counts = {"frauds": 0, "labelled": 0, "unlabelled": 0, "pending": 0, "true_positives": 0}
    for at, decided in enumerate(steps):
        if not isinstance(decided, Decided):
            continue
        due = next(
            (
                later
                for later, step in enumerate(steps)
                if later > at and isinstance(step, Clock) and step.now >= decided.time + 3 * _HOUR
            ),
            None,
        )
        if due is None:
            counts["pending"] += 1
            continue
        words = [w for w in steps[:due] if isinstance(w, Told) and w.event == decided.event]
        best = min((_SPEC.precedence(word.source) for word in words), default=None)
        heard = [word.label for word in words if _SPEC.precedence(word.source) == best]
        label = heard[-1] if heard else Label.LEGITIMATE if decided.through else None
        counts["labelled"] += label is not None
        counts["unlabelled"] += label is None
        counts["frauds"] += label is Label.FRAUD
        counts["true_positives"] += label is Label.FRAUD and decided.stopped
    return counts


@st.composite
def _steps(draw: st.DrawFn) -> list[Decided | Told | Clock]:
    events = draw(st.integers(1, 12))
    steps: list[Decided | Told | Clock] = []
    for event in range(events):
        stopped = draw(st.booleans())
        through = not stopped or draw(st.booleans())
        steps.append(Decided(event, draw(st.integers(0, 8)) * _HOUR, stopped, through))
    tell = st.builds(
        Told,
        st.integers(0, events - 1),
        st.sampled_from(list(Label)),
        st.sampled_from(["analyst", "chargeback", "stranger"]),
    )
    steps += draw(st.lists(tell, max_size=20))
    hours = sorted(draw(st.lists(st.integers(0, 14), max_size=4)))
    steps = draw(st.permutations(steps))
    places = sorted(draw(st.integers(0, len(steps))) for _ in hours)
    for place, hour in reversed(list(zip(places, hours, strict=True))):
        steps.insert(place, Clock(hour * _HOUR))
    return steps


@settings(max_examples=300)
@given(_steps(), st.booleans())
def test_labels_mature_as_the_rule_says(steps: list[Decided | Told | Clock], look_often: bool) -> None:
    maturing = Maturing(_SPEC)
    for step in steps:
        if isinstance(step, Decided):
            _follow(maturing, [step])
        elif isinstance(step, Told):
            _tell(maturing, step)
        else:
            maturing.mature(step.now)
        if look_often:
            maturing.status()
    found: dict[str, Any] = maturing.status()
    expected = _oracle(steps)
    assert found["pending"] == expected.pop("pending")
    assert {name: found["total"][name] for name in expected} == expected


def test_days_and_models_add_up_to_the_total() -> None:
    maturing = Maturing(_SPEC)
    maturing.decided(
        [f"e{at}" for at in range(40)],
        np.arange(40) * 2 * _HOUR,
        np.full(40, 7),
        np.arange(40) % 3,
        np.zeros(40, np.bool_),
        np.ones(40, np.bool_),
        np.ones(40),
    )
    maturing.mature(1_000 * _HOUR)
    status = maturing.status()
    assert [day["labelled"] for day in status["days"]] == [12, 12, 12, 4]
    assert [day["day"] for day in status["days"]][:2] == ["1970-01-01", "1970-01-02"]
    assert [maturing.models[model].status()["labelled"] for model in range(3)] == [14, 13, 13]


def test_beyond_the_limit_a_sample_stands_for_all() -> None:
    maturing = Maturing(_SPEC, limit=500)
    for first in range(0, 8_000, 100):
        _follow(
            maturing, [Decided(event, 0, stopped=False, through=True) for event in range(first, first + 100)]
        )
    for event in range(0, 8_000, 4):
        _tell(maturing, Told(event, Label.FRAUD, "analyst"))
    status = maturing.status()
    assert status["sample_share"] <= 1 / 16
    assert status["pending"] * status["sample_share"] <= 500
    maturing.mature(3 * _HOUR)
    total = maturing.status()["total"]
    assert abs(total["labelled"] - 8_000) < 0.2 * 8_000
    assert abs(total["frauds"] - 2_000) < 0.3 * 2_000
    assert maturing.status()["outcomes_waiting"] == 0


def test_outcomes_wait_for_their_event_however_late_it_is() -> None:
    """One partition may be days ahead of the other when scorers work off a backlog."""
    maturing = Maturing(_SPEC)
    _follow(maturing, [Decided(1, 500 * _HOUR, stopped=False, through=True)])
    _tell(maturing, Told(2, Label.FRAUD, "analyst"))
    maturing.mature(500 * _HOUR)
    assert maturing.status()["outcomes_waiting"] == 1
    _follow(maturing, [Decided(2, 2 * _HOUR, stopped=False, through=True)])
    maturing.mature(500 * _HOUR)
    assert maturing.status()["total"]["frauds"] == 1
    assert maturing.status()["outcomes_waiting"] == 0


def test_waiting_is_bounded_and_gives_up_the_oldest() -> None:
    waiting = Waiting(2)
    for key in (1, 2, 3):
        waiting.put(key, Word(0, UNKNOWN))
    assert sorted(waiting) == [2, 3]
    assert waiting.given_up == 1
