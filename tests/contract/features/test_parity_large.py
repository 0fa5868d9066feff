"""Parity on large streams: thousands of events of one entity, thousands of entities, every way at once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_store.declaration.aggregates import Aggregate, WindowFeature
from feature_store.declaration.event import Kind
from tests.support.streams import Step, placed
from tests.support.streams_check import differences, expected
from tests.support.streams_large import Crowd, crowd
from tests.support.streams_pipeline import RICH
from tests.support.streams_play import (
    offline,
    online,
    reloaded,
    replayed,
    replayed_at_once,
)

if TYPE_CHECKING:
    from feature_store.expressions import Matrix
    from tests.support.oracle_numbers import Expected
    from tests.support.streams_check import Place
    from tests.support.streams_play import Play

ONE_CARD = Crowd(events=6_000, cards=1, seconds_between=5, disorder=0.02)
"""Its longest window holds more than 4,096 events, and passes."""
MANY_CARDS = Crowd(events=20_000, cards=5_000, seconds_between=1, extremes=0)
EDGES = [15, 16, 17, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097]
"""Where blocks of events begin and end."""


@cache
def one_card() -> tuple[list[Step], dict[Place, list[Expected]]]:
    """The stream, and what the oracle says about a few of its events."""
    steps = placed(RICH, crowd(1, ONE_CARD))
    places = [(n, row) for n, step in enumerate(steps) if step.commits for row in range(len(step.events))]
    some = [*EDGES, *np.random.default_rng(1).integers(4098, len(places), 8).tolist(), len(places) - 1]
    return steps, expected(RICH, steps, {places[n] for n in some})


@cache
def many_cards() -> tuple[list[Step], list[Matrix | None]]:
    """The stream, and what the offline twin says."""
    steps = placed(RICH, crowd(2, MANY_CARDS))
    return steps, offline(RICH, steps)


@pytest.mark.parametrize("way", [offline, online, replayed_at_once, reloaded], ids=lambda way: way.__name__)
def test_thousands_of_events_of_one_card(way: Play) -> None:
    steps, right = one_card()
    wrong = list(differences(RICH, right, way(RICH, steps)))
    assert not wrong, "\n".join(wrong[:5])


@pytest.mark.parametrize("way", [online, replayed, reloaded], ids=lambda way: way.__name__)
def test_thousands_of_cards_are_as_the_twin_says(way: Play) -> None:
    steps, right = many_cards()
    found = way(RICH, steps)
    compared = 0
    for n, step in enumerate(steps):
        matrix, wanted = found[n], right[n]
        if matrix is None or wanted is None:
            continue
        compared += len(step.events)
        wrong = _apart(matrix, wanted) & ~np.array(step.late)[:, None]
        assert not wrong.any(), _first(wrong, n, matrix, wanted)
    assert compared > MANY_CARDS.events / 2


def _apart(matrix: Matrix, wanted: Matrix) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Where they differ by more than both may be away from the exact value."""
    apart = np.abs(matrix - wanted) > 2 * _within()
    return np.where(np.isnan(matrix) | np.isnan(wanted), np.isnan(matrix) != np.isnan(wanted), apart)


@cache
def _within() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The tolerance of every feature: 1e-9 of the largest number in the stream where floats are added up."""
    fixed = len(RICH.feature_vector) - len(RICH.features.window_features())
    return np.array([0.0] * fixed + [_tolerance(feature) for feature in RICH.features.window_features()])


def _tolerance(feature: WindowFeature) -> float:
    if feature.aggregate not in {Aggregate.SUM, Aggregate.MEAN, Aggregate.STD}:
        return 0.0
    column = feature.column or ""
    kind = RICH.event.fields[column].type
    if feature.aggregate is not Aggregate.STD and kind.kind is not Kind.FLOAT:
        return 0.0
    if feature.over:
        return np.inf  # floats in a denominator may cancel out; the oracle knows when
    steps, _ = many_cards()
    numbers = [float(event.values[column] or 0) for step in steps for event in step.events]
    return 1e-9 * max(map(abs, numbers)) / 10.0**kind.scale


def _first(
    wrong: np.ndarray[tuple[int, int], np.dtype[np.bool_]], step: int, matrix: Matrix, wanted: Matrix
) -> str:
    row, column = np.argwhere(wrong)[0]
    name = RICH.feature_vector[column].name
    return f"step {step}, event {row}: {name} is {matrix[row, column]!r}, twin {wanted[row, column]!r}"
