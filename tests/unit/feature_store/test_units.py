"""Durations and instants are exact and read back as they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.clock import ARRIVED_AT, StreamClock, WallClock
from feature_store.units import format_duration, from_text, parse_duration, to_text


@pytest.mark.parametrize(
    ("text", "micros"),
    [("500ms", 500_000), ("90s", 90_000_000), ("1h30m", 5_400_000_000), ("1d", 86_400_000_000), (0, 0)],
)
def test_durations_are_whole_microseconds(text: str, micros: int) -> None:
    assert parse_duration(text) == micros


@pytest.mark.parametrize("text", ["", "7", "7 days", "-1h", "1.5h", "h", None, True])
def test_anything_else_is_refused_with_the_form(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration such as"):
        parse_duration(text)


def test_a_day_and_24_hours_are_one_name() -> None:
    assert format_duration(parse_duration("1d")) == format_duration(parse_duration("24h")) == "24h"
    assert format_duration(parse_duration("168h")) == "7d"


@given(st.integers(0, 10**9).map(lambda ms: ms * 1_000))
def test_a_duration_reads_back(micros: int) -> None:
    assert parse_duration(format_duration(micros)) == micros


@given(st.integers(-(10**15), 2 * 10**17))
def test_an_instant_reads_back(micros: int) -> None:
    assert from_text(to_text(micros)) == micros


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="no UTC offset"):
        from_text("2026-01-05T00:00:00")


def test_the_stream_clock_reads_the_header_and_never_goes_back() -> None:
    clock = StreamClock()
    assert clock.arrival([(ARRIVED_AT, b"1500")], 9_000) == 1_500_000
    assert clock.arrival(None, 9_000) == 9_000_000
    for value in (b"x", None, b"9" * 30, b"-5"):
        assert clock.arrival([(ARRIVED_AT, value)], 9_000) == 9_000_000
    clock.observe(5)
    clock.observe(3)
    assert clock.now() == 5


def test_the_wall_clock_believes_no_arrival_later_than_now_and_none_before_1970() -> None:
    clock = WallClock()
    before = clock.now()
    for future in (before // 1_000 + 3_600_000, 2**63 - 1):
        assert before <= clock.arrival(None, future) <= clock.now()
    assert clock.arrival(None, -1) == 0


def test_the_stream_clock_stays_within_what_can_be_written() -> None:
    clock = StreamClock()
    for record_time in (-1, 2**63 - 1):
        clock.observe(clock.arrival(None, record_time))
        assert from_text(to_text(clock.now())) == clock.now()


def test_the_wall_clock_reads_kafkas_time_and_not_the_header() -> None:
    assert WallClock().arrival([(ARRIVED_AT, b"1500")], 9_000) == 9_000_000
