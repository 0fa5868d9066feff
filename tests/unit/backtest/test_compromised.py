"""Known entities, held to the book's own loop over days and sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.labelled import labelled
from training.backtest.compromised import not_compromised
from training.backtest.folds import Fold
from training.backtest.past import Past
from training.evaluation.cards import DAY

TRAIN, GAP, TEST = 3, 2, 4
EVENTS = st.lists(
    st.tuples(st.integers(0, (TRAIN + GAP + TEST) * 24 - 1), st.integers(0, 5), st.booleans()), max_size=60
)


def by_the_book(day: list[int], card: list[int], fraud: list[bool]) -> list[bool]:
    """The tested events that stay, in order: ``get_train_test_set`` of the handbook, in its own terms."""
    rows = list(zip(day, card, fraud, strict=True))
    known = {card for day, card, fraud in rows if fraud and day < TRAIN}
    kept = []
    for tested in range(TEST):
        known |= {card for day, card, fraud in rows if fraud and day == TRAIN + tested - 1}
        kept += [card not in known for day, card, _ in rows if day == TRAIN + GAP + tested]
    return kept


@given(EVENTS)
def test_the_same_events_stay_as_in_the_book(events: list[tuple[int, int, bool]]) -> None:
    events = sorted(events)
    hours, cards, frauds = (list(column) for column in zip(*events, strict=True)) if events else ([], [], [])
    time = np.array(hours, np.int64) * (DAY // 24)
    rows = labelled(np.array(frauds, bool), np.zeros((len(time), 1)), time, entity=np.array(cards, np.int64))
    past = Past(rows, time + GAP * DAY, GAP * DAY)
    tested_from = (TRAIN + GAP) * DAY
    fold = Fold(1, 0, TRAIN * DAY, tested_from, tested_from + TEST * DAY)
    assert not_compromised(past, fold).tolist() == by_the_book([hour // 24 for hour in hours], cards, frauds)
