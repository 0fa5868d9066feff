"""Two engines held to each other: to the bit where they must be, within the room of floats elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streams.sources.past_events import read_past_events
from tests.unit.history.past import OUTCOMES, WINDOWS, declared, written
from training.history.check import against_twin, check_file
from training.history.offline import as_relations, offline_table
from training.history.order import in_order

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from training.history.differences import Compared

HOURS = [float(n) for n in range(100)]
REAL: dict[str, Any] = {
    "entity": "customer", "windows": ["24h"], "sum": "real", "mean": "real", "std": ["real", "amount"],
    "count": True, "max": "real", "ratio": [["24h", "3d"]],
}  # fmt: skip


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def pipeline() -> Pipeline:
    fields = declared().event.fields
    event = {
        "id": "id", "time": "at", "key": "customer",
        "fields": {name: str(spec.type) for name, spec in fields.items()} | {"real": "float"},
        "file": {"label": {"column": "fraud", "delay": "2d", "source": "history"}},
    }  # fmt: skip
    return declared(REAL, event=event)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = written(tmp_path, HOURS, [])
    table = pq.read_table(path)
    # Sums that cancel: the largest input says how exact they can be, the sum itself does not.
    reals = [(-1) ** (n // 3) * 1e6 + n / 7 for n in range(len(HOURS))]
    pq.write_table(table.append_column("real", pa.array(reals)), path)
    return path


def held(
    pipeline: Pipeline, file: Path, change: Callable[[dict[str, NDArray[np.float64]]], object]
) -> dict[str, Compared]:
    order = in_order(pipeline, read_past_events(pipeline, file))
    table = offline_table(pipeline, order)
    found = {name: table[name].to_numpy().copy() for name in table.column_names[1:]}
    change(found)
    with as_relations(order) as connection:
        rows = dict.fromkeys(found, np.arange(order.past.rows))
        told = against_twin(pipeline, connection, order.past.ids, found, rows, quiet)
    return {each.name: each for each in told}


def add(name: str, place: int, amount: float) -> Callable[[dict[str, NDArray[np.float64]]], object]:
    def change(found: dict[str, NDArray[np.float64]]) -> None:
        found[name][place] += amount

    return change


def unchanged(found: dict[str, NDArray[np.float64]]) -> None:
    """Leave everything as the twin said it."""


def test_what_is_equal_has_no_difference(pipeline: Pipeline, file: Path) -> None:
    told = held(pipeline, file, unchanged)
    assert list(told) == [feature.name for feature in pipeline.feature_vector]
    assert {(each.rows, each.differences, each.example) for each in told.values()} == {(100, 0, None)}


@pytest.mark.parametrize(
    ("name", "amount"),
    [
        ("customer_count_24h", 1e-12),
        ("customer_max_real_24h", 1e-9),
        ("large", 1e-15),
        ("customer_sum_real_24h", 1.2e-3),
        ("customer_mean_real_24h", 1.2e-3),
        ("customer_std_real_24h", 1.2e-3),
        ("customer_std_amount_24h", 1e-7),
    ],
)
def test_a_difference_is_found_with_an_example(
    pipeline: Pipeline, file: Path, name: str, amount: float
) -> None:
    told = held(pipeline, file, add(name, 42, amount))
    wrong = told.pop(name)
    assert wrong.differences == 1
    assert wrong.largest == pytest.approx(amount, rel=0.1)
    assert wrong.example is not None
    assert wrong.example.event_id == "e42"
    assert not any(each.differences for each in told.values())


@pytest.mark.parametrize(
    ("name", "amount"),
    [
        ("customer_sum_real_24h", 0.9e-3),
        ("customer_mean_real_24h", 0.9e-3),
        ("customer_std_real_24h", 0.9e-3),
        ("customer_std_amount_24h", 1e-9),
    ],
)
def test_floats_may_differ_by_a_share_of_their_largest_input(
    pipeline: Pipeline, file: Path, name: str, amount: float
) -> None:
    assert held(pipeline, file, add(name, 42, amount))[name].differences == 0


def test_a_ratio_of_floats_has_the_room_of_both(pipeline: Pipeline, file: Path) -> None:
    name = "customer_sum_real_24h_over_3d"  # -999970 by 39, each give or take 0.001: 0.66 either way
    assert held(pipeline, file, add(name, 42, 0.6))[name].differences == 0
    assert held(pipeline, file, add(name, 42, 0.7))[name].differences == 1


def test_null_is_another_value_than_any_number(pipeline: Pipeline, file: Path) -> None:
    def change(found: dict[str, NDArray[np.float64]]) -> None:
        found["customer_mean_real_24h"][7] = np.nan

    wrong = held(pipeline, file, change)["customer_mean_real_24h"]
    assert (wrong.differences, wrong.largest) == (1, None)
    assert wrong.example is not None
    assert (wrong.example.event_id, wrong.example.found) == ("e7", None)


def test_only_the_named_rows_are_compared(pipeline: Pipeline, file: Path) -> None:
    order = in_order(pipeline, read_past_events(pipeline, file))
    table = offline_table(pipeline, order)
    found = {name: table[name].to_numpy().copy() for name in table.column_names[1:]}
    found["large"][3] += 1
    rows = dict.fromkeys(found, np.arange(order.past.rows)) | {"large": np.arange(10, 20)}
    with as_relations(order) as connection:
        told = against_twin(pipeline, connection, order.past.ids, found, rows, quiet)
    assert [(each.rows, each.differences) for each in told if each.name == "large"] == [(10, 0)]


def test_the_engines_agree_on_a_file(tmp_path: Path) -> None:
    pipeline = declared(*WINDOWS, *OUTCOMES)
    checked = check_file(pipeline, written(tmp_path, HOURS, [0, 5, 30]), quiet)
    assert (checked.rows, checked.late, checked.differences) == (100, 0, 0)
    assert all(each.rows == 100 for each in checked.features)
