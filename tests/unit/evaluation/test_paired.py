"""Two models on the same events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.evaluation.paired import paired_bootstrap
from training.evaluation.ranking import average_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray


def payments(
    seed: int, cards: int = 400, each: int = 5
) -> tuple[np.random.Generator, NDArray[np.int64], NDArray[np.bool_]]:
    random = np.random.default_rng(seed)
    entity = np.repeat(np.arange(cards, dtype=np.int64), each)
    fraud = (random.random(cards) < 0.1)[entity]
    return random, entity, fraud


def test_a_model_is_no_worse_than_itself() -> None:
    random, entity, fraud = payments(1)
    score = random.normal(size=len(fraud)) + fraud
    found = paired_bootstrap(fraud, score, score, np.ones(len(fraud)), entity, seed=1)
    assert found.difference == found.low == found.high == 0.0
    assert not found.surely_worse()


def test_noise_is_surely_worse_and_says_by_how_much() -> None:
    random, entity, fraud = payments(2)
    good, noise = random.normal(size=len(fraud)) + 2 * fraud, random.normal(size=len(fraud))
    weight = random.choice([1.0, 20.0], len(fraud))
    found = paired_bootstrap(fraud, noise, good, weight, entity, seed=1)
    assert found.surely_worse(by=0.1)
    assert found.low < 0
    assert found.theirs == pytest.approx(average_precision(fraud, good, weight))
    assert found.low < found.difference < found.high
    assert found == paired_bootstrap(fraud, noise, good, weight, entity, seed=1)


def test_the_events_of_one_card_are_not_so_many_opinions() -> None:
    random, entity, fraud = payments(3, cards=200, each=20)
    good = (random.normal(size=200) + 2 * fraud[::20])[entity]
    other = (random.normal(size=200) + 2 * fraud[::20])[entity]
    by_card = paired_bootstrap(fraud, good, other, np.ones(len(fraud)), entity, seed=1)
    by_event = paired_bootstrap(fraud, good, other, np.ones(len(fraud)), np.arange(len(fraud)), seed=1)
    assert by_card.high - by_card.low > 3 * (by_event.high - by_event.low)


def test_without_fraud_nothing_is_sure() -> None:
    fraud = np.zeros(10, bool)
    found = paired_bootstrap(fraud, np.ones(10), np.ones(10), np.ones(10), np.arange(10), seed=1)
    assert math.isnan(found.difference)
    assert not found.surely_worse()
    assert math.isnan(found.low)
