from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feature_store.declaration.training import TrainingSpec
from tests.support.labelled import labelled
from training.dataset.split import oldest_needed, split_in_time

if TYPE_CHECKING:
    from training.dataset.events import LabelledEvents

SPEC = TrainingSpec(judged="1s", gap="1s", history="10s")
SECOND = 1_000_000
NOW = 100 * SECOND


def events(times: list[int], frauds: list[bool]) -> LabelledEvents:
    order = np.argsort(np.array(times, np.int64), kind="stable")
    return labelled(np.array(frauds, bool)[order], np.ones((len(times), 1)), np.array(times, np.int64)[order])


@given(st.lists(st.tuples(st.integers(85 * 4, 101 * 4), st.booleans()), max_size=60))
def test_the_stretches_share_no_instant_and_keep_the_gap(rows: list[tuple[int, bool]]) -> None:
    times = [quarter * SECOND // 4 for quarter, _ in rows]
    split = split_in_time(events(times, [fraud for _, fraud in rows]), SPEC, NOW)
    past = np.concatenate((split.fit.time, split.validation.time))
    assert sorted(past.tolist()) == sorted(t for t in times if 88 * SECOND < t <= 98 * SECOND)
    assert sorted(split.judged.time.tolist()) == sorted(t for t in times if 99 * SECOND < t <= NOW)
    if len(split.fit) and len(split.validation):
        assert split.fit.time.max() < split.validation.time.min()
    assert all(split.fitted_from <= t <= split.fitted_until for t in past)


def test_validation_has_the_newest_fifth_of_events_and_of_frauds() -> None:
    times = [90 * SECOND + i for i in range(1_000)]
    recent = split_in_time(events(times, [i % 10 == 0 for i in range(1_000)]), SPEC, NOW)
    assert (len(recent.fit), len(recent.validation)) == (791, 209)
    assert recent.validation.frauds == 20
    early = split_in_time(events(times, [i < 100 for i in range(1_000)]), SPEC, NOW)
    assert early.validation.frauds == 20
    assert early.fit.frauds == 80


def test_a_snapshot_reaches_back_to_the_whole_fitted_history() -> None:
    oldest = oldest_needed(SPEC, NOW)
    split = split_in_time(events([oldest, oldest + 1], [True, False]), SPEC, NOW)
    assert split.fit.time.tolist() == [oldest + 1]


def test_what_is_only_fitted_on_is_not_judged_by() -> None:
    times = np.arange(900, 1_001, dtype=np.int64) * SECOND // 10
    fraud, told = np.arange(len(times)) % 2 == 0, np.arange(len(times)) % 3 == 0
    weight = np.where(told, 0.0, 2.0)
    rows = labelled(fraud, np.ones((len(times), 1)), times, weight=weight, fit_weight=weight + 3.0)
    split = split_in_time(rows, SPEC, NOW)
    fitted = np.concatenate([split.fit.weight, split.validation.weight])
    assert fitted.tolist() == (weight + 3.0)[times <= 98 * SECOND].tolist()
    assert split.judged.time.tolist() == times[(times > 99 * SECOND) & ~told].tolist()
    assert set(split.judged.weight.tolist()) == {2.0}
