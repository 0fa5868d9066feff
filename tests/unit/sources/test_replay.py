from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from feature_store.declaration.load import load_pipeline
from feature_store.declaration.pipeline import Pipeline
from feature_store.decode import EventDecoder
from feature_store.errors import ConfigError
from feature_store.units import to_micros
from streams.sources.replay import Stretch, replay

CONFIG = Path(__file__).resolve().parents[3] / "config"
START = datetime(2018, 4, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture
def handbook() -> Pipeline:
    return load_pipeline(CONFIG / "handbook.yaml", {})


def history(hours: list[float], frauds: list[int]) -> pa.Table:
    count = len(hours)
    return pa.table(
        {
            "TRANSACTION_ID": pa.array(range(count), pa.int32()),
            "TX_DATETIME": pa.array([START.replace(tzinfo=None) + timedelta(hours=h) for h in hours]),
            "CUSTOMER_ID": pa.array([500 + i for i in range(count)], pa.int32()),
            "TERMINAL_ID": pa.array([9] * count, pa.int32()),
            "TX_AMOUNT": pa.array([0.1 + i for i in range(count)], pa.float64()),
            "TX_FRAUD": pa.array(frauds, pa.int8()),
        }
    )


def written(table: pa.Table, path: Path) -> Path:
    if path.suffix == ".csv":
        pa.csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    return path


def micros(hours: float, delay: timedelta = timedelta()) -> int:
    return to_micros(START + timedelta(hours=hours) + delay)


@pytest.mark.parametrize("name", ["past.parquet", "past.csv"])
def test_rows_become_declared_json_in_order_of_event_time(
    handbook: Pipeline, tmp_path: Path, name: str
) -> None:
    file = written(history([2.0, 0.5, 1.0], [0, 0, 0]), tmp_path / name)
    emissions = list(replay(handbook, file))
    assert [e.arrival_us for e in emissions] == [micros(0.5), micros(1.0), micros(2.0)]
    assert [e.key for e in emissions] == [b"501", b"502", b"500"]
    assert json.loads(emissions[0].value, parse_float=Decimal) == {
        "transaction_id": "1",
        "tx_datetime": "2018-04-01T00:30:00.000000Z",
        "customer_id": "501",
        "terminal_id": "9",
        "tx_amount": Decimal("1.10"),
    }
    assert b'"tx_amount":1.10' in emissions[0].value
    decoder = EventDecoder(handbook.event)
    assert decoder.decode(emissions[2].value) == ("0", micros(2.0), "500", "9", 10)


@pytest.mark.parametrize("name", ["past.parquet", "past.csv"])
def test_a_fraud_is_told_after_the_declared_delay_and_silence_stays_silent(
    handbook: Pipeline, tmp_path: Path, name: str
) -> None:
    file = written(history([0.0, 1.0, 168.5, 200.0], [1, 0, 0, 1]), tmp_path / name)
    emissions = list(replay(handbook, file))
    assert [(e.role, e.arrival_us) for e in emissions] == [
        ("events", micros(0.0)),
        ("events", micros(1.0)),
        ("outcomes", micros(0.0, WEEK)),
        ("events", micros(168.5)),
        ("events", micros(200.0)),
        ("outcomes", micros(200.0, WEEK)),
    ]
    told = [e for e in emissions if e.role == "outcomes"]
    assert json.loads(told[0].value) == {
        "event_id": "0",
        "label": "fraud",
        "observed_at": "2018-04-08T00:00:00.000000Z",
        "source": "history",
    }
    assert [e.key for e in told] == [b"0", b"3"]


def test_equal_times_keep_the_order_of_the_file(handbook: Pipeline, tmp_path: Path) -> None:
    count = 20_000
    file = written(history([float(i % 3) for i in range(count)], [0] * count), tmp_path / "past.parquet")
    ids = [int(json.loads(e.value)["transaction_id"]) for e in replay(handbook, file)]
    assert ids == sorted(range(count), key=lambda i: (i % 3, i))


def test_a_stretch_takes_its_start_and_leaves_its_end(handbook: Pipeline, tmp_path: Path) -> None:
    file = written(history([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1]), tmp_path / "past.parquet")
    stretch = Stretch(START + timedelta(hours=1), START + timedelta(hours=3))
    assert [e.arrival_us for e in replay(handbook, file, stretch)] == [
        micros(1.0), micros(2.0), micros(2.0, WEEK),
    ]  # fmt: skip


def test_every_cent_survives_the_way_from_float64(handbook: Pipeline, tmp_path: Path) -> None:
    cents = [*range(1_000), *range(9_999_000, 9_999_999), 10**10 - 1]
    table = history([0.0] * len(cents), [0] * len(cents))
    amounts = pa.array([c / 100 for c in cents], pa.float64())
    table = table.set_column(table.column_names.index("TX_AMOUNT"), "TX_AMOUNT", amounts)
    file = written(table, tmp_path / "past.parquet")
    found = [json.loads(e.value, parse_float=Decimal)["tx_amount"] for e in replay(handbook, file)]
    assert found == [Decimal(c) / 100 for c in cents]


def test_a_missing_column_is_named_with_the_cure(handbook: Pipeline, tmp_path: Path) -> None:
    table = history([0.0], [0])
    file = written(table.drop_columns(["TERMINAL_ID"]), tmp_path / "past.parquet")
    with pytest.raises(ConfigError, match=r"no column 'TERMINAL_ID'.*event\.file\.columns\.terminal_id"):
        replay(handbook, file)
    file = written(table.drop_columns(["TX_FRAUD"]), tmp_path / "past.parquet")
    with pytest.raises(ConfigError, match=r"no column 'TX_FRAUD' for the label.*event\.file\.label"):
        replay(handbook, file)


def test_a_time_that_is_none_is_refused(handbook: Pipeline, tmp_path: Path) -> None:
    table = history([0.0], [0])
    place = table.column_names.index("TX_DATETIME")
    seconds = table.set_column(place, "TX_DATETIME", pa.array([31], pa.int64()))
    with pytest.raises(ConfigError, match="column 'TX_DATETIME' is BIGINT; expected a timestamp"):
        replay(handbook, written(seconds, tmp_path / "past.parquet"))
    nothing = table.set_column(place, "TX_DATETIME", pa.array([None], pa.timestamp("us")))
    with pytest.raises(ConfigError, match="a row has no 'TX_DATETIME'"):
        list(replay(handbook, written(nothing, tmp_path / "past.parquet")))


@pytest.mark.parametrize(
    ("name", "named"), [("gone.parquet", "no such file"), ("past.txt", "expected a file")]
)
def test_a_file_that_cannot_be_read_is_refused(
    handbook: Pipeline, tmp_path: Path, name: str, named: str
) -> None:
    (tmp_path / "past.txt").touch()
    with pytest.raises(ConfigError, match=named):
        replay(handbook, tmp_path / name)


def test_a_damaged_file_is_refused(handbook: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "past.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    with pytest.raises(ConfigError, match="cannot be read"):
        replay(handbook, tmp_path / "past.parquet")


def test_every_declared_type_takes_its_json_form(tmp_path: Path) -> None:
    pipeline = every_type()
    table = pa.table(
        {
            "id": ['a"b\\c', "0"],
            "at": pa.array([START, START + timedelta(seconds=1)], pa.timestamp("us", "UTC")),
            "whole": pa.array([3.0, float("nan")], pa.float64()),
            "real": pa.array([0.5, float("inf")], pa.float64()),
            "yes": pa.array([1, 0], pa.int8()),
            "money": pa.array([Decimal("1.5"), None], pa.decimal128(9, 1)),
        }
    )
    first, second = (json.loads(e.value) for e in replay(pipeline, written(table, tmp_path / "t.parquet")))
    assert first == {
        "id": 'a"b\\c', "at": "2018-04-01T00:00:00.000000Z", "whole": 3, "real": 0.5, "yes": True,
        "money": 1.5,
    }  # fmt: skip
    assert {name: second[name] for name in ("whole", "real", "yes", "money")} == {
        "whole": None, "real": None, "yes": False, "money": None,
    }  # fmt: skip


def test_a_fraction_in_a_whole_number_is_refused(tmp_path: Path) -> None:
    table = pa.table(
        {"id": ["a"], "at": [START], "whole": [2.5], "real": [0.5], "yes": [True], "money": [1.0]}
    )
    with pytest.raises(ConfigError, match="'whole' holds numbers that are not whole"):
        list(replay(every_type(), written(table, tmp_path / "t.parquet")))


def test_csv_keeps_leading_zeros_and_offsets(tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    file.write_text(
        "id,at,whole,real,yes,money\n007,2018-04-01T02:00:00+02:00,5,,true,0.30\n", encoding="utf-8"
    )
    (only,) = replay(every_type(), file)
    assert json.loads(only.value) == {
        "id": "007", "at": "2018-04-01T00:00:00.000000Z", "whole": 5, "real": None, "yes": True, "money": 0.3,
    }  # fmt: skip


def every_type() -> Pipeline:
    fields: dict[str, Any] = {
        "id": "string", "at": "timestamp", "whole": "integer", "real": "float", "yes": "boolean",
        "money": "decimal(9,2)", "absent": {"type": "string", "required": False},
    }  # fmt: skip
    return Pipeline.model_validate(
        {
            "pipeline": "types",
            "event": {"id": "id", "time": "at", "key": "id", "fields": fields},
            "features": {"rows": {"twice": "2 * real"}},
            "outcomes": {"sources": {"history": "7d"}},
            "decision": {"costs": {"missed_fraud": 100, "review": 1, "false_decline": 5}},
        }
    )
