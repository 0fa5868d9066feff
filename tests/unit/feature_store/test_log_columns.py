"""A message without what every feature log has had since the first is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from feature_store.errors import ContractError
from feature_store.log import decode_log, encode_log, log_schema
from tests.support.logged import nothing_logged
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

META = nothing_logged()
ALWAYS = [
    "event_id",
    "event_time",
    "seq",
    "source_partition",
    "source_offset",
    "record_time",
    "arrived_at",
    "body_digest",
]


@pytest.fixture
def rows(tmp_path: Path) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], log_schema(private_pipeline(tmp_path, "unit")[1]))


@pytest.mark.parametrize("name", ALWAYS)
def test_a_column_is_missing(rows: pa.RecordBatch, name: str) -> None:
    with pytest.raises(ContractError, match=f"the feature log lacks {name}$"):
        decode_log(encode_log(rows.drop_columns([name]), META))


@pytest.mark.parametrize("name", ["seq", "source_partition", "source_offset"])
def test_a_number_is_of_another_type(rows: pa.RecordBatch, name: str) -> None:
    place = rows.schema.get_field_index(name)
    other: Any = rows.set_column(place, name, pa.array([], pa.string()))
    with pytest.raises(ContractError, match=f"{name} is string, not int"):
        decode_log(encode_log(other, META))


def test_what_was_added_since_may_be_missing(rows: pa.RecordBatch) -> None:
    before = rows.drop_columns(["late", "decided_seq"])
    assert decode_log(encode_log(before, META))[0].schema.equals(before.schema)
