"""An Arrow message from elsewhere takes no more memory than its own bytes, or is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feature_store.arrow_messages import read_stream


def stream(batch: pa.RecordBatch, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def column(array: Any) -> pa.RecordBatch:
    return pa.record_batch([array], names=["a"])


SOUND = pa.record_batch({"a": pa.array([1, None]), "b": pa.array(["x", "y"]), "c": pa.array([["r"], []])})


def test_a_sound_stream_is_read_and_what_follows_can_be() -> None:
    source = pa.BufferReader(stream(SOUND) + stream(column(pa.array([1.5]))))
    assert read_stream(source)[0].equals(SOUND)
    assert read_stream(source)[0].column("a").to_pylist() == [1.5]


def test_a_bomb_is_not_decompressed() -> None:
    bomb = stream(column(pa.array(np.zeros(1 << 20))), compression="zstd")
    assert len(bomb) < 10_000
    with pytest.raises(pa.ArrowInvalid, match="compressed"):
        read_stream(pa.BufferReader(bomb))


@pytest.mark.parametrize(
    "array",
    [
        pa.nulls(1 << 20),
        pa.array([b"", b""], pa.binary(0)),
        pa.array([[], []], pa.list_(pa.null())),
        pa.array([[], []], pa.list_(pa.int8(), 0)),
        pa.array([{}, {}], pa.struct([])),
        pa.array(["x"], pa.string_view()),
    ],
    ids=lambda array: str(array.type),
)
def test_rows_that_take_no_bytes_of_their_own_are_refused(array: Any) -> None:
    with pytest.raises(pa.ArrowInvalid, match="not taken"):
        read_stream(pa.BufferReader(stream(column(array))))


def test_dictionaries_are_not_read() -> None:
    with pytest.raises(pa.ArrowInvalid, match="begins with schema, dictionary"):
        read_stream(pa.BufferReader(stream(column(pa.array(["x"]).dictionary_encode()))))


def test_two_columns_of_one_name_are_refused() -> None:
    twice = pa.record_batch([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(pa.ArrowInvalid, match="one name"):
        read_stream(pa.BufferReader(stream(twice)))
