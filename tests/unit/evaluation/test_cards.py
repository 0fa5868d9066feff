"""Card precision, held to a plain reading of the book's definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.cards import DAY, card_precision

EVENTS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 4), st.integers(0, DAY - 1)),
    min_size=1,
    max_size=60,
)


@given(EVENTS, st.integers(1, 6), st.randoms(use_true_random=False))
def test_agrees_with_the_books_words(
    events: list[tuple[bool, int, int, int]], k: int, random: object
) -> None:
    fraud, entity, day, within = (np.array(column) for column in zip(*events, strict=True))
    score = np.random.default_rng(len(events)).permutation(len(events)).astype(float)
    expected = by_the_book(fraud, score, entity, day, k)
    assert card_precision(fraud, score, entity, day * DAY + within, k) == pytest.approx(expected)


def by_the_book(fraud: np.ndarray, score: np.ndarray, entity: np.ndarray, day: np.ndarray, k: int) -> float:
    """One day at a time, one card at a time."""
    found: set[int] = set()
    precisions = []
    for today in sorted(set(day.tolist())):
        cards: dict[int, list[tuple[float, bool]]] = {}
        for i in np.flatnonzero(day == today):
            if entity[i] not in found:
                cards.setdefault(int(entity[i]), []).append((score[i], bool(fraud[i])))
        ranked = sorted(cards, key=lambda card: max(s for s, _ in cards[card]), reverse=True)
        detected = [card for card in ranked[:k] if any(f for _, f in cards[card])]
        precisions.append(len(detected) / k)
        found.update(detected)
    return sum(precisions) / len(precisions)


def test_a_fraud_counts_for_its_card_whichever_event_made_it_suspicious() -> None:
    fraud, score = np.array([True, False]), np.array([0.1, 0.9])
    assert card_precision(fraud, score, np.array([5, 5]), np.array([0, 1]), k=1) == 1.0


def test_a_card_found_once_is_not_found_again() -> None:
    day = np.array([0, 1])
    assert card_precision(np.array([True, True]), np.ones(2), np.array([5, 5]), day * DAY, k=1) == 0.5


def test_equal_scores_earn_what_chance_would() -> None:
    random = np.random.default_rng(1)
    cards = 4_000
    fraud = random.random(cards) < 0.25
    found = card_precision(fraud, np.zeros(cards), np.arange(cards), np.zeros(cards, np.int64), k=1_000)
    assert found == pytest.approx(0.25, abs=0.05)


def test_nothing_has_no_card_precision() -> None:
    none = np.array([], np.int64)
    assert math.isnan(card_precision(none.astype(bool), none.astype(float), none, none))
