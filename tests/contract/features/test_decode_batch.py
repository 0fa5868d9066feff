"""A batch is decoded as its messages are one by one."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from feature_store.columns import columns_from_log, columns_of
from feature_store.declaration.event import EventSpec
from feature_store.decode import EventDecoder
from feature_store.decode_batch import BatchDecoder
from feature_store.errors import BadEventError

SPEC = EventSpec.model_validate(
    {
        "id": "id",
        "time": "at",
        "key": "who",
        "max_bytes": 4_000,
        "fields": {
            "id": "string",
            "at": "timestamp",
            "who": "integer",
            "money": "decimal(6,2)",
            "share": {"type": "decimal(3,3)", "required": False},
            "coins": {"type": "decimal(4,0)", "required": False},
            "seen": {"type": "timestamp", "required": False},
            "note": {"type": "string", "required": False},
            "ratio": {"type": "float", "required": False},
            "flag": {"type": "boolean", "required": False},
            "count": {"type": "integer", "required": False},
        },
    }
)
ONE, MANY = EventDecoder(SPEC), BatchDecoder(SPEC)

TIMES = st.one_of(
    st.datetimes().map(lambda at: f'"{at.isoformat()}Z"'),
    st.datetimes().map(lambda at: f'"{at.isoformat()}+05:30"'),
    st.integers(-10, 300_000_000_000_000).map(str),
    st.sampled_from(
        [
            '"2026-02-30T00:00:00Z"',
            '"2026-01-31T24:00:00Z"',
            '"2026-01-31T23:59:60Z"',
            '"2026-01-31T23:59:59.1234567Z"',
            '"0001-01-01T00:00:00+14:00"',
            '"9999-12-31T23:59:59-14:00"',
            '"2026-01-31T00:00:00"',
            '"2026-01-31 00:00:00z"',
            '"2026-01-31T00:00:00-00:00"',
            "1e3",
            "0.0",
            "true",
            "{}",
        ]
    ),
)
NUMBERS = st.one_of(
    st.decimals(-20_000, 20_000, places=2).map(str),
    st.decimals(-2, 2, places=4).map(str),
    st.integers(-(2**65), 2**65).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        ["-0", "-0.00", "0", "1.10", "1.100", "1e2", "1E+999999999", "1E-999999999", "0E+999999999"]
    ),
    st.sampled_from(
        ['"12.34"', '"1e2"', "[1]", '{"a":\n1}', '"NaN"', "NaN", "01", "1.", ".5", "-", "9" * 400]
    ),
    st.sampled_from(['"\\ud800"', "12.3\u0664", "999999.99", "9999.99", "0.999", "9999"]),
)
TEXTS = st.one_of(st.text().map(lambda text: msgspec.json.encode(text).decode()), st.just('"\\ud800"'))
ANY = st.one_of(NUMBERS, TIMES, TEXTS, st.sampled_from(["null", "true", "false", "{}", "[[[]]]"]))
SOUND = {"id": '"a"', "at": '"2026-01-05T00:00:00Z"', "who": "7", "money": "12.5"}
FIELDS = {"at": TIMES, "who": NUMBERS, "money": NUMBERS, "share": NUMBERS, "coins": NUMBERS, "count": NUMBERS}
USUAL = st.fixed_dictionaries(
    {}, optional={**FIELDS, "seen": TIMES, "ratio": NUMBERS, "id": TEXTS, "note": TEXTS}
)
ODD = st.dictionaries(st.sampled_from(list(SPEC.fields)), ANY, max_size=3)
CHANGES: st.SearchStrategy[dict[str, str]] = st.one_of(st.just({}), USUAL, ODD)


def written(changes: dict[str, str]) -> bytes:
    pairs = (f"{msgspec.json.encode(name).decode()}:{value}" for name, value in (SOUND | changes).items())
    return f"{{{','.join(pairs)}}}".encode(errors="surrogatepass")


RAW = st.one_of(CHANGES.map(written), st.none(), st.binary(max_size=20), st.just(b"x" * 5_000))


@given(st.lists(RAW, max_size=8))
def test_many_are_decoded_as_each_by_itself(raws: list[bytes | None]) -> None:
    values, places, refused = [], [], []
    for place, raw in enumerate(raws):
        try:
            values.append(ONE.decode(raw))
            places.append(place)
        except BadEventError as error:
            refused.append((place, error.reason, error.detail))
    found = MANY.decode(raws)
    assert found.places.tolist() == places
    assert [(place, error.reason, error.detail) for place, error in found.refused] == refused
    assert columns_from_log(SPEC, found.events) == columns_of(SPEC, values)


def test_one_odd_event_leaves_the_others_as_they_are() -> None:
    odd = {"at": '"2026-02-30T00:00:00Z"'}
    found = MANY.decode([written({}), written(odd), written({"money": '"3.1"'}), written({"money": "-3.10"})])
    assert found.places.tolist() == [0, 2, 3]
    assert columns_from_log(SPEC, found.events)["money"] == [1_250, 310, -310]
    assert [place for place, _ in found.refused] == [1]
