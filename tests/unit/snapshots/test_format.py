"""A snapshot comes back as it went, or not at all."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from feature_store.errors import CorruptSnapshotError
from feature_store.snapshots import PartitionPosition, Snapshot
from feature_store.snapshots import format as snapshot_format
from feature_store.snapshots.format import decode_snapshot, encode_snapshot

RANDOM = np.random.default_rng(5)
SNAPSHOT = Snapshot(
    pipeline="payments",
    unit="partition-3",
    positions={3: PartitionPosition(1_000, 17, 40, 6, 2_000, "ab" * 16)},
    layouts={"customer_id": "0a1b"},
    seq=998,
    taken_at=1_767_571_200_000_000,
    arrays={
        "times": np.arange(1_000) * 60_000_000,
        "values": RANDOM.normal(size=(1_000, 3)),
        "ids": RANDOM.integers(0, 255, (50, 40), np.uint8),
        "flags": RANDOM.random(64) < 0.5,
        "nothing": np.empty((0, 7), np.float32),
        "one": np.array(7),
    },
)


def written(snapshot: Snapshot) -> bytes:
    return bytes(encode_snapshot(snapshot))


SOUND = written(SNAPSHOT)


def signed(body: bytes) -> bytes:
    """The body with a digest that fits, as an old or foreign writer would leave it."""
    return body + hashlib.sha256(body).digest()


def with_header(body: bytes | None = None, **changes: Any) -> bytes:
    size = struct.unpack_from("<8sII", SOUND)[2]
    header = msgspec.json.decode(SOUND[16 : 16 + size]) | changes
    text = msgspec.json.encode(header)
    return signed(struct.pack("<8sII", b"SLUICESN", 1, len(text)) + text + (body or SOUND[16 + size : -32]))


def test_everything_comes_back() -> None:
    found = decode_snapshot(SOUND)
    assert msgspec.structs.replace(found, arrays={}) == msgspec.structs.replace(SNAPSHOT, arrays={})
    assert list(found.arrays) == list(SNAPSHOT.arrays)
    for name, array in SNAPSHOT.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].flags.writeable
        assert found.arrays[name].flags.c_contiguous


@given(
    arrays.arrays(
        arrays.integer_dtypes() | arrays.floating_dtypes(sizes=(32, 64)) | arrays.boolean_dtypes(),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0),
    )
)
def test_any_plain_array_comes_back_bit_for_bit(array: Any) -> None:
    found = decode_snapshot(written(msgspec.structs.replace(SNAPSHOT, arrays={"a": array}))).arrays["a"]
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
    assert (found.shape, found.dtype, found.tobytes()) == (native.shape, native.dtype, native.tobytes())


def test_a_slice_of_something_larger_is_written_as_what_it_shows() -> None:
    whole = np.arange(100).reshape(10, 10)
    part = whole[::2, 3:5]
    found = decode_snapshot(written(msgspec.structs.replace(SNAPSHOT, arrays={"a": part})))
    np.testing.assert_array_equal(found.arrays["a"], part)


def test_what_would_have_to_be_pickled_is_refused() -> None:
    with pytest.raises(TypeError, match="names: a snapshot holds plain arrays, not object"):
        encode_snapshot(msgspec.structs.replace(SNAPSHOT, arrays={"names": np.array(["a", None], object)}))


@pytest.mark.parametrize("kept", [*range(64), *range(64, len(SOUND), 997), len(SOUND) - 1])
def test_cut_short_anywhere_it_is_refused(kept: int) -> None:
    with pytest.raises(CorruptSnapshotError, match="cut short"):
        decode_snapshot(SOUND[:kept])


@given(st.integers(0, len(SOUND) - 1), st.integers(1, 255))
def test_with_one_byte_altered_anywhere_it_is_refused(place: int, change: int) -> None:
    altered = bytearray(SOUND)
    altered[place] ^= change
    with pytest.raises(CorruptSnapshotError):
        decode_snapshot(bytes(altered))


def test_with_bytes_behind_it_is_refused() -> None:
    with pytest.raises(CorruptSnapshotError, match="SHA-256"):
        decode_snapshot(SOUND + b"\0")


def entry(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "a", "dtype": "<i8", "shape": [1_000], "offset": 0, "stored": 8} | changes]


def test_few_bytes_that_become_many_are_not_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = bytes(pa.Codec("zstd").compress(bytes(1 << 20)))
    data = with_header(bomb, arrays=entry(shape=[1 << 17], stored=len(bomb)))
    assert decode_snapshot(data).arrays["a"].nbytes == 1 << 20
    monkeypatch.setattr(snapshot_format, "_ALWAYS_TAKEN", 1 << 10)
    with pytest.raises(CorruptSnapshotError, match=f"{len(bomb)} bytes of it claim to be {1 << 20}"):
        decode_snapshot(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (signed(b"PK\3\4" + SOUND[4:-32]), "begins with other bytes"),
        (signed(SOUND[:8] + struct.pack("<I", 2) + SOUND[12:-32]), "version 2, this release reads 1"),
        (signed(SOUND[:12] + struct.pack("<I", 2**31) + SOUND[16:-32]), "beyond its end"),
        (signed(SOUND[:16] + b"x" + SOUND[17:-32]), "header does not say"),
        (with_header(positions={"p": {"events": 1}}), "header does not say"),
        (with_header(seq="many"), "header does not say"),
        (with_header(arrays=entry(dtype="|O")), "not plain numbers"),
        (with_header(arrays=entry(dtype="nonsense")), "is no type"),
        (with_header(arrays=entry(dtype="V8")), "not plain numbers"),
        (with_header(arrays=entry(shape=[-1])), "not plain numbers"),
        (with_header(arrays=entry(offset=10**9)), "lies outside"),
        (with_header(arrays=entry(offset=-5)), "lies outside"),
        (with_header(arrays=entry(stored=10**9)), "lies outside"),
        (with_header(arrays=entry(shape=[2**62])), "claim to be"),
        (
            with_header(
                arrays=entry(shape=[1 << 30]) * 9,
            ),
            "claim to be",
        ),
        (with_header(arrays=entry(stored=20_000) * 2), "over each other"),
        (with_header(arrays=entry(shape=[0, 2**62, 2**62], stored=0)), "cannot be read"),
        (with_header(arrays=entry(dtype="<U0", shape=[2**40], stored=0)), "not plain numbers"),
        (with_header(arrays=entry(dtype="|S0", shape=[2**62], stored=0)), "not plain numbers"),
        (with_header(arrays=entry(shape=[3])), "cannot be read"),
    ],
)
def test_what_is_undamaged_but_makes_no_sense_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(CorruptSnapshotError, match=said):
        decode_snapshot(data)
