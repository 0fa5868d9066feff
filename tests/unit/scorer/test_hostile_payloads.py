"""Whatever bytes, keys and times come: decided, refused or a duplicate, and the next event is decided."""

from __future__ import annotations

import tempfile
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.clock import StreamClock
from feature_store.log import decode_log
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord, StepResult
from tests.support.hostile import (
    HOSTILE_VALUES,
    KEYS,
    MORE_FIELDS,
    WHOLE,
    hostile_bodies,
    hostile_pipeline,
    pieced,
)
from tests.support.payments import MONDAY, SECOND, encoded, event

if TYPE_CHECKING:
    from collections.abc import Sequence

REASONS = {
    "empty", "too_large", "not_json", "invalid_field", "duplicate_key", "wrong_key", "future_event",
    "id_reused",
}  # fmt: skip
ARRIVED = MONDAY + 86_400 * SECOND
FRESH = count(1_000_000)


class Gate:
    """A scorer's core with one partition, fed for ever."""

    def __init__(self, folder: Path) -> None:
        self.core = ScorerCore(hostile_pipeline(folder, "unit")[1], StreamClock())
        self.core.add_partition(0, 0)
        self.offset = 0

    def records(
        self, bodies: Sequence[tuple[bytes | None, bytes | None]], arrived_at: int
    ) -> list[SourceRecord]:
        first, self.offset = self.offset, self.offset + len(bodies)
        return [
            SourceRecord(0, at, key, value, arrived_at // 1_000, arrived_at)
            for at, (key, value) in enumerate(bodies, first)
        ]

    def take(
        self, bodies: Sequence[tuple[bytes | None, bytes | None]], arrived_at: int = ARRIVED
    ) -> tuple[StepResult, set[str]]:
        """A committed step: every record accounted for, by the log alone, too. Returns what was decided."""
        result = self.core.step(self.records(bodies, arrived_at), Acting(0, None))
        self.core.commit()
        decided = [msgspec.json.decode(each.message) for each in result.decided]
        assert len(decided) + len(result.refused) + result.duplicates == len(bodies)
        assert {refused.reason for refused in result.refused} <= REASONS
        assert all(refused.detail and len(refused.detail) < 2_000 for refused in result.refused)
        metas = [decode_log(log.message) for log in result.log]
        rows: list[Any] = [row for batch, _ in metas for row in batch.column("source_offset").to_pylist()]
        others = [at for _, meta in metas for at in (*meta.duplicates, *meta.dead_letters)]
        assert sorted([*rows, *others]) == list(range(self.offset - len(bodies), self.offset))
        return result, {found["event_id"] for found in decided}

    def still_decides(self) -> None:
        """A sound event is decided."""
        number = next(FRESH)
        sound = encoded(number, customer_id="c1", event_time="2026-01-05T00:00:00Z")
        assert self.take([sound])[1] == {f"e{number}"}


@cache
def gate() -> Gate:
    return Gate(Path(tempfile.mkdtemp()))


def key_of(number: int) -> bytes:
    return str(event(number)["customer_id"]).encode()


@pytest.mark.parametrize("name", [*event(0), *MORE_FIELDS])
def test_hostile_values_in_one_field(name: str) -> None:
    numbers = [next(FRESH) for _ in HOSTILE_VALUES]
    bodies = [
        (key_of(n), pieced(n, {name: value}, [])) for n, value in zip(numbers, HOSTILE_VALUES, strict=True)
    ]
    result, _ = gate().take(bodies)
    assert len(result.refused) > len(bodies) // 4
    gate().still_decides()


def test_bodies_that_are_no_event() -> None:
    result, decided = gate().take([(key_of(1), body) for body in WHOLE])
    assert decided == set()
    by_offset = {refused.record.value: refused.reason for refused in result.refused}
    assert by_offset[b"[" * 10_000_000] == "too_large"  # refused unread
    assert by_offset[None] == by_offset[b""] == "empty"
    gate().still_decides()


def test_odd_keys() -> None:
    numbers = [next(FRESH) for _ in KEYS]
    result, decided = gate().take([(key, encoded(n)[1]) for key, n in zip(KEYS, numbers, strict=True)])
    assert decided == set()
    assert {refused.reason for refused in result.refused} == {"wrong_key"}
    gate().still_decides()


@pytest.mark.parametrize("key", ["", "\x00", "ﷺ", "c" * 60_000, "\u202e", "\ufeff"])
def test_odd_keys_that_the_event_has_too_are_sound(key: str) -> None:
    number = next(FRESH)
    sound = encoded(number, customer_id=key, event_time="2026-01-05T00:00:00Z")
    assert gate().take([sound])[1] == {f"e{number}"}


@pytest.mark.parametrize("event_id", ["", "\x00", "\x00\x00", "ﷺ", "i" * 60_000, "\U0010ffff"])
def test_odd_ids_are_ids(event_id: str) -> None:
    sound = encoded(3, event_id=event_id)
    assert gate().take([sound])[1] == {event_id}
    assert gate().take([sound])[0].duplicates == 1


@settings(max_examples=60)
@given(
    bodies=st.lists(
        st.tuples(st.sampled_from([*KEYS, b"c1"]) | st.just("right"), hostile_bodies(st.integers(0, 500))),
        min_size=1,
        max_size=12,
    ),
    arrived_at=st.sampled_from([0, ARRIVED, ARRIVED + 10]),
)
def test_any_mixture(bodies: list[tuple[Any, bytes | None]], arrived_at: int) -> None:
    gate().take([(_key(key, body), body) for key, body in bodies], arrived_at)
    gate().still_decides()


def _key(key: Any, body: bytes | None) -> bytes | None:
    if key != "right":
        found: bytes | None = key
        return found
    try:
        said = msgspec.json.decode(body or b"")
        return str(said["customer_id"]).encode()
    except (msgspec.MsgspecError, TypeError, KeyError, UnicodeError, RecursionError, ValueError):
        return b"c1"
