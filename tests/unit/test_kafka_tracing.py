"""Trace context is carried on as it came, or not at all."""

from __future__ import annotations

import pytest

from streams.kafka import NO_TRACE, trace_from, trace_of, words_of

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STATE = b"congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"


def test_both_headers_are_found_among_others_and_come_back_from_what_is_written_down() -> None:
    headers = [("arrived_at", b"1"), ("tracestate", STATE), ("traceparent", PARENT), ("x", None)]
    trace = trace_of(headers)
    assert trace == (("traceparent", PARENT), ("tracestate", STATE))
    assert trace_from(words_of(trace)) == trace
    assert trace_from(words_of(trace[:1])) == trace[:1]
    assert trace_from(None) == NO_TRACE


def test_of_two_with_one_name_the_last_counts() -> None:
    other = PARENT.replace(b"4bf9", b"4bf8")
    assert trace_of([("traceparent", PARENT), ("traceparent", other)]) == (("traceparent", other),)


def test_without_headers_there_is_none() -> None:
    assert trace_of(None) == NO_TRACE
    assert trace_of([("tracestate", STATE)]) == NO_TRACE


@pytest.mark.parametrize(
    "parent",
    [
        None,
        b"",
        PARENT.upper(),
        PARENT[:-1],
        PARENT + b"-more",  # version 00 has four parts
        b"ff" + PARENT[2:],
        b"00-" + b"0" * 32 + PARENT[35:],
        PARENT[:36] + b"0" * 16 + PARENT[52:],
        b"01" + PARENT[2:] + b"-" + b"x" * 201,
        PARENT + b"\n",
        b"\xff" * 55,
    ],
)
def test_what_is_no_parent_is_left_out_with_its_state(parent: bytes | None) -> None:
    assert trace_of([("traceparent", parent), ("tracestate", STATE)]) == NO_TRACE


@pytest.mark.parametrize("more", [b"", b"-", b"-what comes later".replace(b" ", b".")])
def test_a_later_version_may_say_more(more: bytes) -> None:
    parent = b"cc" + PARENT[2:] + more
    assert trace_of([("traceparent", parent)]) == (("traceparent", parent),)


@pytest.mark.parametrize("state", [None, b"", b"a" * 513, b"a=\xc3\xa4", b"a=1\nb=2"])
def test_a_state_that_is_not_one_is_left_out_alone(state: bytes | None) -> None:
    assert trace_of([("traceparent", PARENT), ("tracestate", state)]) == (("traceparent", PARENT),)
