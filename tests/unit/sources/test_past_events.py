"""A file of past events as typed columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from feature_store.columns import columns_from_log
from feature_store.declaration.pipeline import Pipeline
from feature_store.decode import EventDecoder
from feature_store.errors import ConfigError
from feature_store.log import event_schema
from feature_store.units import to_micros
from streams.sources.past_events import read_past_events
from streams.sources.replay import replay

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2018, 4, 1, tzinfo=UTC)


@pytest.fixture
def pipeline() -> Pipeline:
    return declared()


def declared(**changes: Any) -> Pipeline:
    fields: dict[str, Any] = {
        "id": "string", "at": "timestamp", "who": "integer", "money": "decimal(9,2)",
        "real": {"type": "float", "required": False}, "yes": {"type": "boolean", "required": False},
        "absent": {"type": "string", "required": False},
    }  # fmt: skip
    file = {"columns": {"money": "AMOUNT"}, "label": {"column": "FRAUD", "delay": "7d"}}
    return Pipeline.model_validate(
        {
            "pipeline": "types",
            "event": {"id": "id", "time": "at", "key": "who", "fields": fields | changes, "file": file},
            "features": {"rows": {"twice": "2 * real"}},
            "outcomes": {"sources": {"history": "7d"}},
            "decision": {"costs": {"missed_fraud": 100, "review": 1, "false_decline": 5}},
        }
    )


def table(hours: list[float], **columns: list[Any]) -> pa.Table:
    count = len(hours)
    plain: dict[str, Any] = {
        "id": [f"0{n}" for n in range(count)],
        "at": [(START + timedelta(hours=h)).replace(tzinfo=None) for h in hours],
        "who": [7 + n for n in range(count)],
        "AMOUNT": [0.1 + n for n in range(count)],
        "real": [0.5] * count,
        "yes": [True] * count,
        "FRAUD": [0] * count,
    }
    return pa.table(plain | columns)


def written(rows: pa.Table, folder: Path, name: str = "past.parquet") -> Path:
    path = folder / name
    if path.suffix == ".csv":
        pa.csv.write_csv(rows, path)
    else:
        pq.write_table(rows, path)
    return path


@pytest.mark.parametrize("name", ["past.parquet", "past.csv"])
def test_rows_take_their_declared_types_by_event_time(pipeline: Pipeline, tmp_path: Path, name: str) -> None:
    file = written(table([2.0, 0.5, 1.0], FRAUD=[1, 0, 0]), tmp_path, name)
    past = read_past_events(pipeline, file)
    assert past.events.schema.equals(event_schema(pipeline.event))
    assert past.ids.to_pylist() == ["01", "02", "00"]
    assert past.keys.to_pylist() == ["8", "9", "7"]
    assert past.times.tolist() == [to_micros(START + timedelta(hours=h)) for h in (0.5, 1.0, 2.0)]
    assert past.fraud.tolist() == [False, False, True]
    assert past.events["money"].to_pylist() == [Decimal("1.10"), Decimal("2.10"), Decimal("0.10")]
    assert past.events["absent"].to_pylist() == [None, None, None]


def test_equal_times_keep_the_order_of_the_file(pipeline: Pipeline, tmp_path: Path) -> None:
    count = 20_000
    file = written(table([float(n % 3) for n in range(count)]), tmp_path)
    ids = [int(str(each)) for each in read_past_events(pipeline, file).ids.to_pylist()]
    assert ids == sorted(range(count), key=lambda n: (n % 3, n))


@pytest.mark.parametrize("name", ["past.parquet", "past.csv"])
def test_the_values_are_those_that_a_replay_sends(pipeline: Pipeline, tmp_path: Path, name: str) -> None:
    rows = table(
        [float(n % 5) for n in range(60)],
        AMOUNT=[n / 100 for n in range(10_000_000, 10_000_060)],
        real=[None, 1e300, -0.0, *[n / 7 for n in range(57)]],
        yes=[True, None, False] * 20,
    )
    file = written(rows, tmp_path, name)
    columns = columns_from_log(
        pipeline.event, read_past_events(pipeline, file).events.combine_chunks().to_batches()[0]
    )
    decoder = EventDecoder(pipeline.event)
    sent = [decoder.decode(each.value) for each in replay(pipeline, file) if each.role == "events"]
    assert list(zip(*columns.values(), strict=True)) == sent


def test_a_float_that_is_no_number_is_absent(pipeline: Pipeline, tmp_path: Path) -> None:
    file = written(table([0.0, 1.0], real=[float("nan"), float("inf")]), tmp_path)
    assert read_past_events(pipeline, file).events["real"].to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"who": [7, None]}, r"row 2: column 'who' holds nothing, but .*'who' is declared integer and requ"),
        ({"who": [7.0, 2.5]}, r"row 2: column 'who' holds '2.5', but the field 'who' is declared integer"),
        ({"who": ["7", "2.5"]}, r"row 2: column 'who' holds '2.5', but the field 'who' is declared integer"),
        ({"who": [7, -(2**63)]}, r"row 2: column 'who' holds '-9223372036854775808', but"),
        ({"AMOUNT": ["x", "y"]}, r"row 1: column 'AMOUNT' holds 'x', but .*'money'.*and 1 more rows do not"),
        ({"AMOUNT": [1e9, 1.0]}, r"row 1: column 'AMOUNT' holds '1000000000.0', but .*decimal\(9,2\)"),
        ({"AMOUNT": [float("nan"), 1.0]}, r"row 1: column 'AMOUNT' holds 'nan', but"),
        ({"AMOUNT": ["1.00", "1.005"]}, r"row 2: column 'AMOUNT' holds '1.005', but .*decimal\(9,2\)"),
        ({"AMOUNT": [Decimal("1.000"), Decimal("1.005")]}, r"row 2: column 'AMOUNT' holds '1.005', but"),
        ({"AMOUNT": ["5e-3", "1.5"]}, r"row 1: column 'AMOUNT' holds '5e-3', but"),
        ({"yes": ["1", "maybe"]}, r"row 2: column 'yes' holds 'maybe', but the field 'yes' is declared boo"),
        ({"real": ["0.5", "half"]}, r"row 2: column 'real' holds 'half', but the field 'real' is declared f"),
        ({"at": ["2018-04-01", "then"]}, r"row 2: column 'at' holds 'then', but the field 'at' is declared"),
        ({"at": [None, datetime(2018, 4, 1)]}, r"row 1: column 'at' holds nothing"),  # noqa: DTZ001
        ({"at": [1, 2]}, r"column 'at' is BIGINT; expected a timestamp"),
        ({"id": ["a", None]}, r"row 2: column 'id' holds nothing"),
        ({"id": ["a", "a"]}, r"the event id 'a' stands in 2 rows"),
    ],
    ids=str,
)
def test_a_row_that_does_not_fit_is_named(
    pipeline: Pipeline, tmp_path: Path, columns: dict[str, list[Any]], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        read_past_events(pipeline, written(table([0.0, 1.0], **columns), tmp_path))


@pytest.mark.parametrize(
    "amounts",
    [["1.5", "-1.050000", "1050e-3"], [Decimal("1.500"), Decimal("-1.050"), Decimal("1.050")]],
    ids=str,
)
def test_zeros_behind_the_declared_digits_are_no_digits(
    pipeline: Pipeline, tmp_path: Path, amounts: list[Any]
) -> None:
    file = written(table([0.0, 1.0, 2.0], AMOUNT=amounts), tmp_path)
    money = [Decimal("1.50"), Decimal("-1.05"), Decimal("1.05")]
    assert read_past_events(pipeline, file).events["money"].to_pylist() == money
    sent = [EventDecoder(pipeline.event).decode(each.value) for each in replay(pipeline, file)]
    assert [event[3] for event in sent] == [150, -105, 105]


def test_a_binary_float_is_rounded_to_the_declared_digits(pipeline: Pipeline, tmp_path: Path) -> None:
    file = written(table([0.0], AMOUNT=[0.1 + 0.2]), tmp_path)
    assert read_past_events(pipeline, file).events["money"].to_pylist() == [Decimal("0.30")]


def test_a_replay_rounds_no_money(pipeline: Pipeline, tmp_path: Path) -> None:
    file = written(table([0.0, 1.0], AMOUNT=["1.00", "1.005"]), tmp_path, "past.csv")
    with pytest.raises(
        ConfigError, match=r"'AMOUNT' has more digits behind the point than decimal.*: 1\.005"
    ):
        list(replay(pipeline, file))


@pytest.mark.parametrize(
    "labels",
    [
        ["1", "0", None],
        ["1.0", "0.0", None],
        [1.0, 0.0, float("nan")],
        [True, False, None],
        ["true", "F", ""],
    ],
    ids=str,
)
def test_a_label_is_read_however_a_tool_wrote_it(
    pipeline: Pipeline, tmp_path: Path, labels: list[Any]
) -> None:
    file = written(table([0.0, 1.0, 2.0], FRAUD=labels), tmp_path)
    assert read_past_events(pipeline, file).fraud.tolist() == [True, False, False]
    assert sum(each.role == "outcomes" for each in replay(pipeline, file)) == 1


def test_a_word_that_is_no_label_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    file = written(table([0.0, 1.0], FRAUD=["legitimate", "fraud"]), tmp_path)
    with pytest.raises(ConfigError, match=r"'FRAUD' must hold true or 1 for fraud.*it holds legitimate"):
        read_past_events(pipeline, file)
    with pytest.raises(ConfigError, match=r"'FRAUD' must hold true or 1 for fraud.*it holds legitimate"):
        list(replay(pipeline, file))


def test_what_every_event_must_have_is_not_said_to_be_optional(pipeline: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'id' holds nothing, but .* declared string and required$"):
        read_past_events(pipeline, written(table([0.0, 1.0], id=["a", None]), tmp_path))
    with pytest.raises(ConfigError, match=r"required; if it may be absent: event\.fields\.money\.required"):
        read_past_events(pipeline, written(table([0.0, 1.0], AMOUNT=[1.0, None]), tmp_path))


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_name_is_no_pattern(pipeline: Pipeline, tmp_path: Path, ending: str) -> None:
    written(table([0.0, 1.0]), tmp_path, f"past1.{ending}")
    file = written(table([0.0]), tmp_path, f"past[1].{ending}")
    assert read_past_events(pipeline, file).rows == 1


def test_the_row_is_the_one_in_the_file(pipeline: Pipeline, tmp_path: Path) -> None:
    file = written(table([3.0, 2.0, 1.0], who=["7", "8", "nine"]), tmp_path, "past.csv")
    with pytest.raises(ConfigError, match="row 3: column 'who' holds 'nine'"):
        read_past_events(pipeline, file)


def test_a_missing_column_is_named_with_the_cure(pipeline: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no column 'AMOUNT'.*event\.file\.columns\.money"):
        read_past_events(pipeline, written(table([0.0]).drop_columns(["AMOUNT"]), tmp_path))


def test_a_file_without_rows_is_an_empty_history(pipeline: Pipeline, tmp_path: Path) -> None:
    past = read_past_events(pipeline, written(table([0.0]).slice(0, 0), tmp_path))
    assert (past.rows, past.times.tolist(), past.keys.to_pylist()) == (0, [], [])
