"""W3C trace context (Level 2): two headers of a record, carried on as they are to what is made of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feature_store.clock import Headers

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"

Trace = tuple[tuple[str, bytes], ...]
"""The headers of a trace, ready to be sent; empty without one."""
NO_TRACE: Trace = ()

# version, trace id, parent id, flags; a version to come may add more. Ids of zeros alone are none.
_PARENT = re.compile(
    rb"(?:00|(?P<later>(?!00|ff)[0-9a-f]{2}))-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    rb"(?(later)(?:-[!-~]{0,200})?)"
)
_STATE = re.compile(rb"[\t -~]{1,512}")  # as much as everybody must be able to carry


def trace_of(headers: Headers) -> Trace:
    """The trace context among a record's headers, of two with one name the last; none where it is not sound.

    What anybody may write must not grow what others read: more than the standard asks for is left out.
    """
    found = dict(headers or ())
    parent, state = found.get(TRACEPARENT), found.get(TRACESTATE)
    if parent is None or not _PARENT.fullmatch(parent):
        return NO_TRACE
    if state is None or not _STATE.fullmatch(state):
        return ((TRACEPARENT, parent),)
    return (TRACEPARENT, parent), (TRACESTATE, state)


def trace_from(values: list[str] | None) -> Trace:
    """The trace whose header values were written down as ``words_of``."""
    names = (TRACEPARENT, TRACESTATE)
    return tuple((name, value.encode()) for name, value in zip(names, values or (), strict=False))


def words_of(trace: Trace) -> list[str]:
    """The header values, as they are written down: parent, and state where there is one."""
    return [value.decode() for _, value in trace]
