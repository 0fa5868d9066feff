"""Whatever bytes come in, they are an event or a reason why not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.declaration.event import EventSpec
from feature_store.decode import EventDecoder
from feature_store.errors import BadEventError

SPEC = EventSpec.model_validate(
    {
        "id": "id",
        "time": "at",
        "key": "who",
        "max_bytes": 100_000,
        "fields": {
            "note": {"type": "string", "required": False},
            "id": "string",
            "at": "timestamp",
            "who": "integer",
            "money": "decimal(6,2)",
            "ratio": {"type": "float", "required": False},
            "flag": {"type": "boolean", "required": False},
        },
    }
)
DECODER = EventDecoder(SPEC)
SOUND = {"id": "a", "at": "2026-01-05T00:00:00Z", "who": 7, "money": 12.5}


def test_a_sound_event_becomes_values_in_declared_order() -> None:
    raw = msgspec.json.encode(SOUND | {"ratio": 1, "unknown": "ignored"})
    assert DECODER.decode(raw) == (None, "a", 1_767_571_200_000_000, 7, 1_250, 1.0, None)


def test_times_may_be_milliseconds_or_carry_an_offset() -> None:
    for at in (1_767_571_200_000, "2026-01-05T01:00:00+01:00", "2026-01-05T00:00:00.000Z"):
        assert DECODER.decode(msgspec.json.encode(SOUND | {"at": at}))[2] == 1_767_571_200_000_000


@pytest.mark.parametrize(
    ("money", "minor"), [("0.01", 1), ("-9999.99", -999_999), ('"3.10"', 310), ("1e2", 10_000), ("0", 0)]
)
def test_money_is_exact(money: str, minor: int) -> None:
    raw = b'{"id":"a","at":0,"who":1,"money":%s}' % money.encode()
    assert DECODER.decode(raw)[4] == minor


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"x" * 100_001, "too_large"),
        (b'{"id":"a","at":0,"who":1,"money":1.%s1}' % (b"0" * 60), "invalid_field"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b'{"id":"\xff"}', "not_json"),
        (b'{"id":"\\ud800","at":0,"who":1,"money":1}', "not_json"),
        (b'{"id":"a","at":0,"who":1,"money":1,"z":' + b"[" * 40_000 + b"]" * 40_000 + b"}", "not_json"),
        (b"[]", "invalid_field"),
        (b'{"id":"a","at":0,"who":1,"money":1,"money":2}', "duplicate_key"),
        (b'{"id":"a","at":0,"who":1,"money":1,"\\u006doney":1}', "duplicate_key"),
        (b'{"id":"a","at":0,"who":1,"money":1,"z":0,"z":0}', "duplicate_key"),
        (b'{"id":"a"}', "invalid_field"),
        (b'{"id":7,"at":0,"who":1,"money":1}', "invalid_field"),
        (b'{"id":"a","at":"yesterday","who":1,"money":1}', "invalid_field"),
        (b'{"id":"a","at":"2026-01-05T00:00:00","who":1,"money":1}', "invalid_field"),
        (b'{"id":"a","at":-1,"who":1,"money":1}', "invalid_field"),
        (b'{"id":"a","at":0,"who":9223372036854775808,"money":1}', "invalid_field"),
        (b'{"id":"a","at":0,"who":-9223372036854775808,"money":1}', "invalid_field"),
        (b'{"id":"a","at":0,"who":1.5,"money":1}', "invalid_field"),
        (b'{"id":"a","at":0,"who":1,"money":0.001}', "invalid_field"),
        (b'{"id":"a","at":0,"who":1,"money":10000}', "invalid_field"),
        (b'{"id":"a","at":0,"who":1,"money":1e999999999}', "invalid_field"),
        (b'{"id":"a","at":0,"who":1,"money":1e-999999999}', "invalid_field"),
        (b'{"id":"a","at":0,"who":1,"money":"NaN"}', "invalid_field"),
        (b'{"id":"a","at":0,"who":1,"money":"Infinity"}', "invalid_field"),
        (b'{"id":"a","at":0,"who":1,"money":1,"ratio":1e999}', "invalid_field"),
        (b'{"id":"a","at":0,"who":1,"money":1,"ratio":NaN}', "not_json"),
    ],
)
def test_anything_else_is_refused_with_its_reason(raw: bytes | None, reason: str) -> None:
    with pytest.raises(BadEventError) as refused:
        DECODER.decode(raw)
    assert refused.value.reason == reason
    assert refused.value.detail


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    with pytest.raises(BadEventError, match=r"^(empty|not_json|invalid_field): "):
        DECODER.decode(raw)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
            for name in ("id", "at", "who", "money", "ratio", "flag")
        },
    )
)
def test_no_json_object_raises_anything_else(values: dict[str, object]) -> None:
    try:
        found = DECODER.decode(msgspec.json.encode(values))
    except (BadEventError, UnicodeEncodeError):
        return
    assert len(found) == len(SPEC.fields)
