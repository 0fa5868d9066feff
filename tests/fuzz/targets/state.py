"""Snapshots and the feature log: state is rebuilt from them, or they are refused whole."""

from __future__ import annotations

import hashlib
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_store.clock import StreamClock
from feature_store.errors import ContractError, CorruptSnapshotError, StateError
from feature_store.log import decode_log, decode_whole_log, delta_schema, log_schema
from feature_store.snapshots import PartitionPosition, Snapshot, capture, install
from feature_store.snapshots.format import MAGIC, VERSION, decode_snapshot, encode_snapshot
from feature_store.units import to_text
from streams.explainer.explain import Explaining
from streams.models.watcher import Acting
from streams.monitor.log_rows import read_rows
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceDelta, SourceRecord
from streams.scorer.replay import replay
from tests.fuzz.small import message, small_pipeline
from tests.fuzz.target import MARK, Ready, Target, pieces
from tests.support.payments import MONDAY, SECOND
from training.keeper.log_rows import log_tables

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

_START = struct.Struct("<8sII")
_CHANGE = struct.Struct("<BIq")
"""One change of a state: which array, which place in it, the number that is put there."""
_UNIT = "partition-0"
_STEPS, _EVENTS = 3, 40


def _core(pipeline: Pipeline) -> ScorerCore:
    core = ScorerCore(pipeline, StreamClock())
    core.add_partition(0, 0)
    return core


def _step(core: ScorerCore, number: int) -> list[bytes]:
    """Some events, and an outcome; the log messages of it."""
    first = number * _EVENTS
    records = [_record(n) for n in range(first, first + _EVENTS)]
    deltas = [
        SourceDelta(0, number, (number + 1, f"e{first}", MONDAY + first * SECOND, 1, True, f"c{first % 7}"))
    ]
    result = core.step(records, Acting(0, None), deltas)
    core.commit()
    return [log.message for log in result.log]


def _record(number: int) -> SourceRecord:
    key, at = f"c{number % 7}", MONDAY + number * 60 * SECOND
    event = {
        "event_id": f"e{number}", "event_time": to_text(at), "card": key, "amount": number % 90 + 0.25,
        "shop": number % 5 if number % 3 else None, "online": bool(number % 2), "weight": number / 7,
    }  # fmt: skip
    return SourceRecord(0, number, key.encode(), msgspec.json.encode(event), at // 1_000, at)


def _captured(pipeline: Pipeline, core: ScorerCore) -> Snapshot:
    filters = {0: core.intake.filter_of(0)}
    return capture(pipeline, _UNIT, core.store, filters, {0: PartitionPosition(_STEPS * _EVENTS)}, 99)


def _settled(pipeline: Pipeline) -> tuple[ScorerCore, Snapshot, list[bytes]]:
    core = _core(pipeline)
    messages = [log for number in range(_STEPS) for log in _step(core, number)]
    return core, _captured(pipeline, core), messages


def _emptied(core: ScorerCore) -> ScorerCore:
    """As new: compiling another one takes long."""
    core.rollback()
    core.drop_partition(0)
    core.add_partition(0, 0)
    return core


def _take_in(pipeline: Pipeline, core: ScorerCore, snapshot: Snapshot) -> None:
    """As a take-over does; what was taken in then works."""
    _emptied(core)
    try:
        install(snapshot, core.store, {0: core.intake.filter_of(0)})
    except ContractError:
        return
    _step(core, _STEPS)


def _snapshots(folder: Path) -> Ready:
    """The header and the arrays' bytes are any; the digest is right, or nothing would be read."""
    pipeline = small_pipeline(folder)
    core, snapshot, _ = _settled(pipeline)
    sound = bytes(encode_snapshot(snapshot))
    size = _START.unpack_from(sound)[2]

    def check(data: bytes) -> None:
        header, body = pieces(data, 2)
        whole = _START.pack(MAGIC, VERSION, len(header)) + header + body
        try:
            found = decode_snapshot(whole + hashlib.sha256(whole).digest())
        except CorruptSnapshotError:
            return
        if found.unit == _UNIT and found.positions.keys() == {0}:
            _take_in(pipeline, core, found)

    def one(name: str, dtype: str, shape: list[int], block: bytes) -> bytes:
        entry = {"name": name, "dtype": dtype, "shape": shape, "offset": 0, "stored": len(block)}
        header = msgspec.json.decode(sound[_START.size :][:size]) | {"arrays": [entry]}
        return msgspec.json.encode(header) + MARK + block

    seeds = [sound[_START.size :][:size] + MARK + sound[_START.size + size : -32]]
    seeds += [
        one("a", "<i8", [0, 2**40], b""),
        one("a", "<U9", [2], b"x"),
        one("a", "<f8", [2**29], _bomb(2**32)),
    ]
    words = [
        "<i8",
        "<U1000000",
        "|S0",
        "<f8",
        "|b1",
        "[0,9223372036854775807]",
        "[4611686018427387904]",
        '"shape":',
    ]
    return Ready(check, seeds, [MARK, *(word.encode() for word in words)])


def _bomb(size: int) -> bytes:
    """Few bytes that become many."""
    import pyarrow as pa  # noqa: PLC0415

    return bytes(pa.Codec("zstd").compress(bytes(size // 64))) if size else b""


def _states(folder: Path) -> Ready:
    """Arrays of the right types with any numbers in them: kernels must never follow them outside."""
    pipeline = small_pipeline(folder)
    core, snapshot, _ = _settled(pipeline)
    names = sorted(snapshot.arrays)

    def check(data: bytes) -> None:
        arrays = {name: array.copy() for name, array in snapshot.arrays.items()}
        for at in range(0, len(data) - _CHANGE.size + 1, _CHANGE.size):
            which, place, number = _CHANGE.unpack_from(data, at)
            array = arrays[names[which % len(names)]]
            flat = array.reshape(-1)
            if len(flat):
                flat[place % len(flat)] = np.array(number).astype(array.dtype)
        _take_in(pipeline, core, msgspec.structs.replace(snapshot, arrays=arrays))

    numbers = [-1, 0, 1, 2, 7, 8, 63, 2**31, -(2**63), 2**63 - 1]
    seeds = [_CHANGE.pack(0, 0, 0)] + [
        _CHANGE.pack(which, which, number)
        for which in range(len(names))
        for number in numbers[:: 1 + which % 3]
    ]
    return Ready(check, seeds, [number.to_bytes(8, "little", signed=True) for number in numbers])


class _NoModels:
    """Every version is gone."""

    def get(self, _version: str) -> None:
        """None."""


def _logs(folder: Path) -> Ready:
    """A message of the feature log: the keeper sinks it, explainer and monitor read it, and a scorer rebuilds
    state from it.
    """
    pipeline = small_pipeline(folder)
    core, _, messages = _settled(pipeline)
    scored, deltas = log_schema(pipeline), delta_schema(pipeline)
    explaining = Explaining(pipeline, _NoModels())

    def check(data: bytes) -> None:
        with suppress(ContractError):
            list(explaining.rows(data))
        with suppress(ContractError):
            read_rows(decode_log(data)[0], 0)
        try:
            rows, meta, learned = decode_whole_log(data)
            tables = log_tables([message(data)])
        except ContractError:
            return
        assert meta.partition is not None
        if tables is not None:
            tables.scored.validate(full=True)
            tables.deltas.validate(full=True)
        if rows.schema.names != scored.names or (
            learned is not None and learned.schema.names != deltas.names
        ):
            return
        try:
            replay(_emptied(core), pipeline, [rows], [] if learned is None else [learned])
        except StateError:
            return

    return Ready(
        check, [messages[0], messages[1]], [b"sluicegate", b'"partition":', b"\xff\xff\xff\xff", b"\0" * 8]
    )


TARGETS = [
    Target("snapshots", "snapshots, with a digest that is right", _snapshots, 16_384),
    Target("snapshot-state", "the numbers in a snapshot's state", _states, 256),
    Target("feature-log", "messages of the feature log", _logs, 32_768),
]
