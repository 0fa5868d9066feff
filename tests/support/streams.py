"""Streams that Hypothesis thinks of: steps of outcome deltas and events, each committed or rolled back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from feature_store.units import FIRST_INSTANT, LAST_INSTANT
from tests.support.oracle import Delta, Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feature_store.declaration.pipeline import Pipeline

PARTITIONS = 2
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NOON = 1_767_614_400_000_000  # 2026-01-05T12:00:00Z


@dataclass(frozen=True)
class Step:
    """What a scorer does in one transaction: deltas, then events; their actions are known at its end."""

    deltas: tuple[Delta, ...]
    events: tuple[Event, ...]
    late: tuple[bool, ...]
    commits: bool
    hands_over: bool
    """After it, whoever can continues from what was saved or logged."""


@dataclass(frozen=True)
class DrawnDelta:
    """A delta about the event that is ``back`` events before; ``let_through`` None: as that event was."""

    back: int
    fraud: int
    let_through: bool | None


@dataclass(frozen=True)
class DrawnEvent:
    """An event ``offset`` us from the step's time; what ``values`` does not name is null."""

    offset: int
    values: Mapping[str, Any]
    let_through: bool


@dataclass(frozen=True)
class DrawnStep:
    """A step before it has a place in time and order."""

    advance: int
    deltas: Sequence[DrawnDelta]
    events: Sequence[DrawnEvent]
    commits: bool
    hands_over: bool


@dataclass(frozen=True)
class DrawnStream:
    """Steps, the first of them from ``start`` us on."""

    steps: Sequence[DrawnStep]
    start: int = NOON


def partition_of(values: Mapping[str, Any]) -> int:
    """The partition, which the card determines."""
    return sum(map(ord, values["card"])) % PARTITIONS


def placed(pipeline: Pipeline, drawn: DrawnStream) -> list[Step]:
    """The steps in applied order: what was rolled back never was, and its numbers are used again."""
    steps: list[Step] = []
    now, seq = drawn.start, 0
    newest: dict[int, int] = {}
    history: list[Event] = []
    for step in drawn.steps:
        now += step.advance
        values = [_values(pipeline, each, now) for each in step.events]
        deltas = _deltas(step, history, values, seq)
        first, last = seq + len(deltas), seq + len(deltas) + len(values)
        events = tuple(
            Event(fields, partition_of(fields), first + n, last - 1, each.let_through)
            for n, (fields, each) in enumerate(zip(values, step.events, strict=True))
        )
        late, reached = _late(pipeline, events, newest)
        steps.append(Step(deltas, events, late, step.commits, step.hands_over))
        if step.commits:
            seq, newest = last, reached
            history += events
    return steps


def _values(pipeline: Pipeline, event: DrawnEvent, now: int) -> dict[str, Any]:
    given = {**event.values, "id": "id", "moment": now + event.offset}
    return {name: given.get(name) for name in pipeline.event.fields}


def _deltas(
    step: DrawnStep, history: list[Event], coming: list[dict[str, Any]], first: int
) -> tuple[Delta, ...]:
    """Deltas about events that were applied; where there are none, about those that come with them."""
    found = []
    for n, delta in enumerate(step.deltas):
        if history:
            about = history[-1 - delta.back % len(history)]
            values, let_through = about.values, about.let_through
        elif coming:
            values, let_through = coming[delta.back % len(coming)], True
        else:
            break
        known = let_through if delta.let_through is None else delta.let_through
        found.append(Delta(values, partition_of(values), values["moment"], first + n, delta.fraud, known))
    return tuple(found)


def _late(
    pipeline: Pipeline, events: Sequence[Event], newest: Mapping[int, int]
) -> tuple[tuple[bool, ...], dict[int, int]]:
    reached = dict(newest)
    late = []
    for event in events:
        time = event.values["moment"]
        top = reached.get(event.partition, time)
        late.append(time < top - pipeline.features.lateness)
        reached[event.partition] = max(top, time)
    return tuple(late), reached


_LONG = 10**18 - 1
_WIDE = 2**62
_MOST = 2**63 - 1
moneys = st.sampled_from([0, 1, -1, 100_00, 100_01, _LONG, -_LONG]) | st.integers(-_LONG, _LONG)
whole = st.sampled_from([0, 1, 2, -3, _WIDE, -_WIDE, _MOST, -_MOST, 2**53 + 1]) | st.integers(-_MOST, _MOST)
fractions = st.sampled_from(
    [0.0, -0.0, 1.0, 2.0, 0.1, -0.1, 1e16, -1e16, 1e150, -1e150, 1e-150, 5e-324, 3.4028235e38, 1e38]
) | st.floats(-1e150, 1e150)

values = st.fixed_dictionaries(
    {"card": st.sampled_from(["a", "b", "c", "ab", ""])},
    optional={
        "shop": st.sampled_from(["x", "7", "", "bx", "\x00", "ä", "a\u0308"]),
        "terminal": st.sampled_from([0, 1, -1, _MOST, -_MOST]),
        "abroad": st.booleans(),
        "seen": st.sampled_from([0, -1, NOON]),
        "money": moneys,
        "share": moneys,
        "points": whole,
        "weight": fractions,
    },
)
offsets = st.sampled_from([0, 1, -1, -30 * SECOND, MINUTE, -5 * MINUTE, -10 * MINUTE]) | st.integers(
    -10 * 60, 5 * 60
).map(lambda second: second * SECOND)
_ENDS_EVERY_WINDOW = 5 * 24 * HOUR
advances = st.sampled_from([0, 1, 30 * SECOND, MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR]) | st.sampled_from(
    [6 * HOUR, _ENDS_EVERY_WINDOW]
)


starts = st.sampled_from([NOON, NOON, 0, FIRST_INSTANT + HOUR, LAST_INSTANT - 60 * 24 * HOUR])


def streams(most_events: int = 10, most_steps: int = 6) -> st.SearchStrategy[DrawnStream]:
    """A short stream."""
    events = st.builds(DrawnEvent, offsets, values, st.booleans())
    deltas = st.builds(
        DrawnDelta, st.integers(0, 12), st.sampled_from([1, 1, -1]), st.none() | st.none() | st.booleans()
    )
    step = st.builds(
        DrawnStep,
        advances,
        st.lists(deltas, max_size=4),
        st.lists(events, max_size=most_events),
        commits=st.sampled_from([True, True, True, False]),
        hands_over=st.sampled_from([False, False, True]),
    )
    return st.builds(DrawnStream, st.lists(step, max_size=most_steps), starts)
