"""Actions against the week before, silence, and events that wait."""

from __future__ import annotations

import numpy as np
import pytest

from feature_store.declaration.monitoring import ActionRateSpec
from streams.kafka import Lag
from streams.monitor.action_rates import ActionRates
from streams.monitor.freshness import Behind, Silence

HOUR = 3_600_000_000
DAY = 24 * HOUR
MINUTE = 60_000_000


def _rates(last: int, spread: tuple[int, ...] = (100, 100, 100, 100, 100, 100, 100)) -> ActionRates:
    """Ten thousand decisions a day; so many of them reviewed on each day of a week, and on the last."""
    rates = ActionRates(ActionRateSpec(), 0.001)
    for day, reviewed in enumerate((*spread, last)):
        actions = np.zeros(10_000, np.int64)
        actions[:reviewed] = 1
        rates.add(np.linspace(day * DAY, (day + 1) * DAY - 1, 10_000).astype(np.int64), actions)
    return rates


@pytest.mark.parametrize(
    ("last", "state"),
    [(100, "good"), (130, "good"), (160, "between"), (210, "bad"), (45, "bad"), (60, "between")],
)
def test_a_rate_that_is_twice_or_half_the_usual_one_is_bad(last: int, state: str) -> None:
    told = _rates(last).status(8 * DAY - 1)
    assert told["actions"]["review"]["state"] == state
    assert told["actions"]["review"]["share"] == pytest.approx(last / 10_000)
    assert told["actions"]["review"]["usual"] == pytest.approx(0.01)
    assert told["actions"]["decline"]["state"] == "too_little"


def test_days_that_differ_among_themselves_make_another_one_no_news() -> None:
    wild = (20, 240, 30, 210, 10, 180, 30)
    assert _rates(230, wild).status(8 * DAY - 1)["actions"]["review"]["state"] == "between"


def test_instants_far_apart_take_no_memory_and_old_ones_are_forgotten() -> None:
    rates = ActionRates(ActionRateSpec.model_validate({"window": "1m"}), 0.001)
    rates.add(np.array([0, 20_000 * DAY]), np.array([1, 1]))
    assert rates.status(20_000 * DAY)["events"] == 1
    slots = 20_000 * DAY + np.arange(500) * MINUTE // 24
    for instant in slots:
        rates.add(np.full(3, instant), np.array([0, 0, 2]))
    told = rates.status(int(slots[-1]))
    assert (told["events"], told["stretches"]) == (3 * 24, 7)
    assert told["actions"]["decline"]["usual"] == pytest.approx(1 / 3, abs=1e-5)


def test_a_first_day_has_nothing_to_be_compared_with() -> None:
    rates = ActionRates(ActionRateSpec(), 0.001)
    rates.add(np.arange(0, DAY, MINUTE), np.zeros(1_440, np.int64))
    assert rates.status(DAY)["actions"]["review"]["state"] == "too_little"


def _traffic(per_hour: dict[int, int]) -> Silence:
    """So many decisions at each hour of the day, eight days long."""
    silence = Silence(10 * MINUTE)
    for day in range(8):
        for hour, count in per_hour.items():
            for part in range(12):
                silence.add(day * DAY + hour * HOUR + part * 5 * MINUTE, count // 12)
    return silence


def test_silence_is_bad_where_there_would_have_been_decisions() -> None:
    silence = _traffic(dict.fromkeys(range(24), 1_200))
    begun = 7 * DAY + 23 * HOUR + 55 * MINUTE
    assert silence.status(begun + 4 * MINUTE)["state"] == "good"
    assert silence.status(begun + 8 * MINUTE)["state"] == "between"
    assert silence.status(begun + 30 * MINUTE)["state"] == "bad"


def test_a_quiet_night_is_no_silence() -> None:
    silence = _traffic(dict.fromkeys(range(6, 24), 1_200))
    begun = 7 * DAY + 23 * HOUR + 55 * MINUTE
    assert silence.status(begun + 5 * HOUR)["state"] == "between"
    assert silence.status(begun + 7 * HOUR)["state"] == "bad"


def test_a_day_is_needed_to_know_what_is_usual() -> None:
    silence = Silence(10 * MINUTE)
    assert silence.status(0)["state"] == "unknown"
    silence.add(0, 1_000)
    assert silence.status(HOUR)["state"] == "unknown"


def test_events_that_wait_are_told_when_nothing_moves() -> None:
    behind = Behind(300 * 1_000_000)
    told = behind.status()
    for second, committed in ((0, 100), (200, 150), (340, 150), (400, 150), (501, 150)):
        behind.add({0: Lag(committed, 5_000), 1: Lag(80, 82)}, float(second))
        told = behind.status()
        expected = {0: "good", 200: "good", 340: "good", 400: "between", 501: "bad"}[second]
        assert told["state"] == expected, second
    assert (told["stuck"], told["for_s"], told["waiting"]) == (1, 301.0, 4_850)
    behind.add({0: Lag(5_000, 5_000), 1: Lag(80, 82)}, 510.0)
    assert behind.status()["state"] == "good"
