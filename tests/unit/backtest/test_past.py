"""Past events and what was known of them: the same as training would have read from a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store import duck
from feature_store.errors import ConfigError
from feature_store.units import to_micros
from streams.sources.past_events import read_past_events
from tests.support.labelled import labelled
from tests.unit.history.past import OUTCOMES, START, WINDOWS, declared, written
from training.backtest.folds import Fold
from training.backtest.past import Past, read_past
from training.backtest.run import trained_on
from training.dataset.labels import matured_labels
from training.history.compute import compute_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from training.dataset.events import LabelledEvents

HOUR = 3_600_000_000
BEGIN = to_micros(START)
HOURS = st.lists(st.integers(0, 400), min_size=1, max_size=25)


def silent(what: str, done: int, total: int) -> None:
    """Nobody watches."""


def plain(time: NDArray[np.int64], fraud: NDArray[np.bool_]) -> LabelledEvents:
    return labelled(fraud, np.zeros((len(time), 1)), time)


@settings(max_examples=30)
@given(HOURS, st.data(), st.integers(0, 200), st.integers(0, 200), st.integers(0, 700))
def test_labels_are_those_that_training_would_have_read(
    hours: list[int], data: st.DataObject, delay: int, maturity: int, as_of: int
) -> None:
    time = BEGIN + np.sort(np.array(hours, np.int64)) * HOUR
    fraud = np.array([data.draw(st.booleans()) for _ in hours])
    moment = BEGIN + as_of * HOUR
    known = Past(plain(time, fraud), time + delay * HOUR, maturity * HOUR).known_at(moment)
    table = matured_labels(
        in_store(time, fraud, delay), declared(outcomes={"sources": {"history": f"{maturity}h"}}), moment
    ).sort_by("place")
    assert (table["label"].to_numpy() == "fraud").tolist() == known.fraud.tolist()
    assert table["weight"].to_pylist() == known.weight.tolist()
    assert table["place"].to_pylist() == list(range(len(known)))


def in_store(time: NDArray[np.int64], fraud: NDArray[np.bool_], delay: int) -> duck.Connection:
    """What the keeper would have stored: every event approved, an outcome for each fraud."""
    rows = len(time)
    instants, told = (pa.array(each).cast(pa.timestamp("us")) for each in (time, time + delay * HOUR))
    places, ones = pa.array(np.arange(rows)), np.ones(rows)
    columns = {"place": places, "event_id": places.cast(pa.string()), "event_time": instants}
    columns |= {"arrived_at": instants, "propensity": pa.array(ones)}
    columns |= {name: pa.repeat("approve", rows) for name in ("action", "policy_action")}
    outcomes = {"event_id": columns["event_id"], "arrived_at": told, "partition": places, "offset": places}
    outcomes |= {"label": pa.repeat("fraud", rows), "source": pa.repeat("history", rows)}
    connection = duck.memory()
    connection.register("scored", pa.table(columns))
    connection.register("outcomes", pa.table(outcomes).filter(pa.array(fraud)))
    return connection


@given(HOURS, st.data(), st.integers(0, 300), st.integers(0, 200))
def test_what_is_told_after_the_moment_of_training_changes_nothing(
    hours: list[int], data: st.DataObject, moment: int, maturity: int
) -> None:
    count = len(hours)
    time = np.sort(np.array(hours, np.int64)) * HOUR
    delays = data.draw(st.lists(st.integers(0, 300), min_size=count, max_size=count))
    fraud, other = (
        np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count))) for _ in range(2)
    )
    told = time + np.array(delays) * HOUR
    fold = Fold(1, 0, max(0, moment - maturity) * HOUR, moment * HOUR, (moment + 24) * HOUR)
    past = Past(plain(time, fraud), told, maturity * HOUR)
    later = np.where(told > fold.moment, other, fraud)
    changed = Past(plain(time, later), told, maturity * HOUR)
    before, after = trained_on(past, fold), trained_on(changed, fold)
    assert before.time.tolist() == after.time.tolist()
    assert before.fraud.tolist() == after.fraud.tolist()
    assert (before.time < fold.trained_until).all()


def test_features_are_those_that_a_scorer_computes(tmp_path: Path) -> None:
    hours = [float(n * 3 % 97) for n in range(97)]
    pipeline = declared(*WINDOWS, *OUTCOMES)
    file = written(tmp_path, hours, [1, 4, 40])
    compute_file(pipeline, file, "online", tmp_path / "features.parquet", silent)
    table = pq.read_table(tmp_path / "features.parquet")
    whole = np.column_stack([table[feature.name].to_numpy() for feature in pipeline.feature_vector])
    since, until = BEGIN + 20 * HOUR, BEGIN + 60 * HOUR
    past = read_past(pipeline, file, since, until, silent)
    times = read_past_events(pipeline, file).times
    wanted = (times >= since) & (times < until)
    assert past.events.time.tolist() == times[wanted].tolist()
    np.testing.assert_array_equal(past.events.features, whole[wanted])


def test_entities_are_told_apart_and_amounts_read(tmp_path: Path) -> None:
    costs = {"amount": "amount", "review": 1, "false_decline": 5}
    file = written(tmp_path, [0.0, 1.0, 2.0, 3.0], [2], customers=2)
    past = read_past(declared(decision={"costs": costs}), file, BEGIN, BEGIN + 10 * HOUR, silent)
    entity = past.events.entity.tolist()
    assert entity[0] == entity[2] != entity[1] == entity[3]
    assert past.events.amount.tolist() == [0.25, 1.62, 2.99, 4.36]
    assert past.events.fraud.tolist() == [False, False, True, False]


def test_without_a_label_there_is_nothing_to_test_by(tmp_path: Path) -> None:
    file = written(tmp_path, [0.0], [])
    pipeline = declared()
    unlabelled = pipeline.event.model_copy(
        update={"file": pipeline.event.file.model_copy(update={"label": None})}
    )
    with pytest.raises(ConfigError, match=r"event\.file\.label: missing"):
        read_past(pipeline.model_copy(update={"event": unlabelled}), file, BEGIN, BEGIN + HOUR, silent)
