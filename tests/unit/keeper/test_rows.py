"""Outcomes come from outside: whatever they are, the sink goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from feature_store.clock import StreamClock, WallClock
from training.keeper.rows import outcome_tables

if TYPE_CHECKING:
    from streams.kafka import Message

OUTCOME = msgspec.json.encode(
    {"event_id": "e1", "label": "fraud", "observed_at": "2026-01-05T00:00:00Z", "source": "analyst"}
)


class Record:
    """A record of the outcomes topic."""

    def __init__(self, value: bytes, *, time: int = 1_000, headers_fail: bool = False) -> None:
        self._value = value
        self._time = time
        self._headers_fail = headers_fail

    def value(self) -> bytes:
        return self._value

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def timestamp(self) -> tuple[int, int]:
        return 1, self._time

    def headers(self) -> Any:
        if self._headers_fail:
            raise SystemError("returned a result with an exception set")
        return None

    def set_headers(self, headers: list[Any]) -> None:
        self._headers_fail = bool(headers)


def counts(record: Record, clock: StreamClock | WallClock) -> tuple[int, int]:
    outcomes, refused = outcome_tables([cast("Message", record)], clock)
    return outcomes.num_rows, refused.num_rows


@pytest.mark.parametrize("clock", [StreamClock(), WallClock()])
def test_nested_too_deeply_is_refused(clock: StreamClock | WallClock) -> None:
    deep = OUTCOME[:-1] + b',"more":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert counts(Record(deep), clock) == (0, 1)


@pytest.mark.parametrize("clock", [StreamClock(), WallClock()])
def test_headers_that_the_client_cannot_show_do_not_matter(clock: StreamClock | WallClock) -> None:
    assert counts(Record(OUTCOME, headers_fail=True), clock) == (1, 0)


@pytest.mark.parametrize("clock", [StreamClock(), WallClock()])
@pytest.mark.parametrize("time", [-1, 2**63 - 1])
def test_any_record_time_can_be_stored(time: int, clock: StreamClock | WallClock) -> None:
    assert counts(Record(OUTCOME, time=time), clock) == (1, 0)
