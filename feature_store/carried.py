"""What an event carries from stage to stage, beside its own bytes: whence it came, and what was found so far.

One header per event, little-endian: two letters that name the format; how many applied orders (u16) and
columns (u16) follow; an id per column (u32, of its definition); then the event's partition (i32) and offset
(i64) on the events topic, when it arrived (i64, us), Kafka's time of it (i64, ms), whether it is late (i32);
the applied order in each stage (i64), and each column (f64, NaN is null). The ids make it readable for a
stage with other declarations than the one that wrote it: columns unknown here are left out, missing ones are
null. What a stage knew of outcomes, a ``route_seq``, is a column, too: it is far below 2^53.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feature_store.declaration.features import hash_of
from feature_store.errors import ContractError
from feature_store.units import LAST_INSTANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.aggregates import WindowFeature
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix

HEADER = "stage"
_FORMAT = b"S1"
_COUNTS = struct.Struct("<2sHH")
_PLAIN = 32  # bytes of a row before its orders
_TIMES = struct.Struct("<qq")
_WHOLE = 2**53  # up to here a float64 is every whole number

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]
Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Orders = np.ndarray[tuple[int, int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Carried:
    """Side by side for a batch of events: place on the events topic, times, lateness, ``orders`` (rows,
    stages so far), ``known`` (rows, stages so far that count outcomes) and ``found`` (rows, columns of the
    kernels).
    """

    partitions: Ints
    offsets: Ints
    arrivals: Ints
    record_times_ms: Ints
    late: Bools
    orders: Orders
    known: Orders
    found: Matrix


def times_of(header: bytes) -> tuple[int, int] | None:
    """Kafka's time of an event (ms) and when it arrived (us); None where the header is not ours."""
    if len(header) < _COUNTS.size:
        return None
    letters, orders, columns = _COUNTS.unpack_from(header)
    if letters != _FORMAT or len(header) != _COUNTS.size + 4 * columns + _PLAIN + 8 * (orders + columns):
        return None
    arrived, record_time = _TIMES.unpack_from(header, _COUNTS.size + 4 * columns + 12)
    if not 0 <= arrived <= LAST_INSTANT:  # else it would move the stream's clock for good
        return None
    return record_time, arrived


class Carrying:
    """Reads and writes the headers of one stage."""

    def __init__(self, pipeline: Pipeline, columns: dict[WindowFeature, int]) -> None:
        """``columns``: which column of the kernels' result holds what."""
        self._width = max(columns.values(), default=-1) + 1
        self._stage = pipeline.stage.number if pipeline.stage else 0
        ids = {
            feature: _id(hash_of(feature, pipeline.field_types, pipeline.event.time)) for feature in columns
        }
        self._readable = {ids[feature]: column for feature, column in columns.items()}
        stages = pipeline.stages[: self._stage + 1]
        so_far = {entity for stage in stages for entity in stage.entities}
        written = [feature for feature in columns if feature.entity in so_far]
        counting = [stage for stage in pipeline.counting_stages if stage.number <= self._stage]
        self._before = sum(stage.number < self._stage for stage in counting)
        known = [_id(f"known in stage {stage.name}") for stage in counting]
        self._readable |= {each: self._width + at for at, each in enumerate(known[: self._before])}
        self._columns = [columns[feature] for feature in written]
        names = np.array([*(ids[feature] for feature in written), *known], "<u4")
        self._head = _COUNTS.pack(_FORMAT, self._stage + 1, len(names)) + names.tobytes()
        self._layout = _row(self._stage + 1, len(names))

    def write(self, carried: Carried) -> list[bytes]:
        """One header per event."""
        rows = np.zeros(len(carried.partitions), self._layout)
        rows["partition"], rows["offset"] = carried.partitions, carried.offsets
        rows["arrived"], rows["record_time"] = carried.arrivals, carried.record_times_ms
        rows["late"] = carried.late
        rows["orders"] = carried.orders
        rows["found"] = np.hstack([carried.found[:, self._columns], carried.known])
        whole, size = rows.tobytes(), self._layout.itemsize
        return [self._head + whole[at : at + size] for at in range(0, len(whole), size)]

    def reads(self, header: bytes) -> bool:
        """Whether the stage before wrote this."""
        return times_of(header) is not None and _COUNTS.unpack_from(header)[1] == self._stage

    def read(self, headers: Sequence[bytes]) -> Carried:
        """The headers of a batch. Raises ContractError for one that the stage before did not write."""
        found = np.full((len(headers), self._width + self._before), np.nan)
        plain = np.zeros((len(headers), 5), np.int64)
        orders = np.zeros((len(headers), self._stage), np.int64)
        for head, places in _by_head(headers).items():
            _, stages, count = _COUNTS.unpack_from(head)
            if stages != self._stage:
                raise ContractError(f"it comes from stage {stages - 1}, not from {self._stage - 1}")
            layout = _row(stages, count)
            rows = np.frombuffer(b"".join(headers[at][len(head) :] for at in places), layout)
            for position, name in enumerate(("partition", "offset", "arrived", "record_time", "late")):
                plain[places, position] = rows[name]
            orders[places] = rows["orders"]
            ids = np.frombuffer(head, "<u4", count, _COUNTS.size).tolist()
            there = [(at, self._readable[each]) for at, each in enumerate(ids) if each in self._readable]
            if there:
                sources, targets = zip(*there, strict=True)
                found[np.ix_(places, targets)] = rows["found"][:, sources]
        partitions, offsets, arrivals, record_times, late = plain.T
        found, said = found[:, : self._width], found[:, self._width :]
        known = np.where(np.abs(said) <= _WHOLE, said, 0).astype(np.int64)
        return Carried(partitions, offsets, arrivals, record_times, late != 0, orders, known, found)


def _by_head(headers: Sequence[bytes]) -> dict[bytes, list[int]]:
    """What comes before the rows -> which rows begin so."""
    found: dict[bytes, list[int]] = {}
    for at, header in enumerate(headers):
        if times_of(header) is None:
            raise ContractError("it does not carry what the stage before found")
        columns = _COUNTS.unpack_from(header)[2]
        found.setdefault(header[: _COUNTS.size + 4 * columns], []).append(at)
    return found


def _row(orders: int, columns: int) -> np.dtype[np.void]:
    return np.dtype([
        ("partition", "<i4"),
        ("offset", "<i8"),
        ("arrived", "<i8"),
        ("record_time", "<i8"),
        ("late", "<i4"),
        ("orders", "<i8", (orders,)),
        ("found", "<f8", (columns,)),
    ])  # fmt: skip


def _id(definition: str) -> int:
    return int.from_bytes(hashlib.sha256(definition.encode()).digest()[:4], "little")
