"""Keys that stand twice are found, whatever stands around them; nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.repeated_keys import RepeatedKeys
from tests.support.payments import encoded

SCAN = RepeatedKeys()
VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(['"a":1,', "{", "}", "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
KEYS = st.sampled_from(["a", "b", "c", "", '"', "\\", "é", "ab", "\n"]) | st.text(max_size=3)


def written(pairs: list[tuple[str, object]], ascii_only: bool, space: str) -> bytes:
    """An object in one of the ways in which it can be written."""
    parts = [
        json.dumps(key, ensure_ascii=ascii_only)
        + space
        + ":"
        + space
        + json.dumps(value, ensure_ascii=ascii_only)
        for key, value in pairs
    ]
    return ("{" + f"{space},{space}".join(parts) + "}").encode("utf-8", "surrogatepass")


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(KEYS, VALUES), max_size=6), st.booleans(), st.sampled_from(["", " ", "\n\t"])
        ),
        min_size=1,
        max_size=6,
    )
)
def test_as_many_as_there_are(objects: list[tuple[list[tuple[str, object]], bool, str]]) -> None:
    raws = [written(*each) for each in objects]
    expected = [len({key for key, _ in pairs}) < len(pairs) for pairs, _, _ in objects]
    suspected = SCAN.may_repeat(raws).tolist()
    assert [SCAN.repeats(raw) for raw in raws] == expected
    assert all(may or not does for may, does in zip(suspected, expected, strict=True))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"{}", False),
        (b'{"a":1,"a":1}', True),
        (b'{"a":1,"\\u0061":2}', True),
        (b'{"a":{"b":1,"b":2}}', False),
        (b'{"a":[{"b":1},{"b":2}],"b":3}', False),
        (b'{"a":"\\",\\"a\\":1","b":2}', False),
        (b'{"a" :1 ,\n"a"\t: 2}', True),
        (b'{"a":"x,y","x":1,"y":2}', False),
    ],
)
def test_by_hand(raw: bytes, expected: bool) -> None:
    assert SCAN.repeats(raw) is expected


def test_usual_messages_are_not_suspected() -> None:
    assert not SCAN.may_repeat([encoded(number)[1] for number in range(1_000)]).any()


@pytest.mark.parametrize("repeat", [False, True])
def test_more_keys_than_the_set_holds_are_counted_all_the_same(repeat: bool) -> None:
    pairs: list[tuple[str, object]] = [(str(number), 1) for number in range(40_000)]
    raw = written([*pairs, *([("39999", 1)] if repeat else [])], True, "")
    assert SCAN.repeats(raw) is repeat


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_no_bytes_stop_the_scan(raws: list[bytes]) -> None:
    assert len(SCAN.may_repeat(raws)) == len(raws)


def test_what_is_no_object_is_said() -> None:
    with pytest.raises(msgspec.DecodeError):
        SCAN.repeats(b'{"a":1,"a":2')
