"""Records that somebody might send to break the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from tests.support.payments import event, private_pipeline, shipped_tree

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

# fmt: off
HOSTILE_VALUES = [
    "null", "true", "[]", "{}", "-0", "0", "1e400", "-1e400", "1e-400", "1E+2147483648",
    "1e999999999999999999", "NaN", "Infinity", "-Infinity", "nan", "9223372036854775807",
    "9223372036854775808", "-9223372036854775807", "-9223372036854775808", "18446744073709551616",
    "9" * 5_000, "0." + "0" * 5_000 + "1", "1" + "0" * 400,
    "1.7976931348623157e308", "5e-324", "01", "+1", ".5",
    "1.", "0x10", "1_000", '""', '"1_000"', '"NaN"', '"Infinity"', '"sNaN"', '"1e999999999"', '"\\ud800"',
    '"\\udc00\\ud800"', '"\\u0000"', '"\\u0000\\u0000"', '"\\uD83D\\uDE00"', '"\\uffff"', '"\\x41"',
    '"\n"', '"\t"', '"\\"', '"', "'a'", '"' + "x" * 60_000 + '"', '"' + "\\u0000" * 9_000 + '"',
    "[" * 20_000 + "]" * 20_000, "[" * 60_000, '{"a":' * 9_000 + "1" + "}" * 9_000, '{"a":1,\n"b":2}',
    "[1,\n2]", '"0000-00-00T00:00:00Z"', '"9999-12-31T23:59:59.999999Z"', '"0001-01-01T00:00:00+14:00"',
    '"2026-02-30T00:00:00Z"', '"2026-01-05T00:00:60Z"', '"2026-01-05"', '"2026-01-05T24:00:00Z"',
    '"2026-01-05T00:00:00.' + "0" * 30_000 + 'Z"', '"2026-01-05t00:00:00z"', "253402300799999",
    "253402300800000", "-1", "1767571200", "1767571200000", '"\u200b"', '"\u202eevil"', '"ﷺ"',
]
"""Pieces that stand where a value should; some are sound, some are not JSON."""

WHOLE = [
    None, b"", b" ", b"\x00", b"null", b"true", b"1", b'"a"', b"[]", b"{}", b"{", b"}", b"[{}]", b"{}{}",
    b'{"":1}', b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"\x1f\x8b\x08", b"// no", b'{"a":1,}', b"{'a':1}",
    b"\n" * 60_000, b"[" * 65_000, b'{"a":' * 13_000, b"9" * 65_000, b'"' + b"\xff" * 60_000 + b'"',
    b"\x80" * 1_000, b'{"k":1,' * 9_000, b'{"' + b"a" * 65_000, b"x" * 65_537, b"[" * 10_000_000,
    b"{" * 10_000_000, b'"' + b"\\u0000" * 1_600_000 + b'"',
]
# fmt: on
"""Bodies that are no event; the last are larger than any event may be."""

KEYS = [None, b"", b"\x00", b"\xff\xfe", b"c1\x00", b" c1", b"c" * 60_000, "ﷺ".encode()]


MORE_FIELDS = {"volume": "float", "pieces": "integer", "flagged": "boolean", "seen_at": "timestamp"}


def hostile_pipeline(folder: Path, prefix: str, **changes: Any) -> tuple[Path, Pipeline]:
    """The payments pipeline with fields of every type, and features and rules that fail on some values."""
    tree = shipped_tree()
    fields = {name: {"type": kind, "required": False} for name, kind in MORE_FIELDS.items()}
    rows = {
        "root": "sqrt(volume)",
        "log_volume": "ln(volume)",
        "square": "pieces * pieces",
        "share": "pieces / (pieces - 7)",
        "as_number": "cast(channel as double)",
        "length": "length(merchant_id)",
        "again": "cast(regexp_matches(merchant_id, '(x+x+)+y') as integer)",
        "age": "date_diff('second', seen_at, event_time)",
    }
    windows = [
        {"entity": "customer_id", "windows": ["1h"], "sum": "volume", "std": "volume", "max": "pieces"},
        {"entity": "customer_id", "windows": ["1h"], "sum": "pieces", "distinct": "terminal_id"},
    ]
    features = tree["features"]
    rules = [{"name": "long", "when": "length(merchant_id) > 1000 and ln(volume) > 0", "action": "review"}]
    return private_pipeline(
        folder,
        prefix,
        event=tree["event"] | {"fields": tree["event"]["fields"] | fields},
        features=features | {"rows": features["rows"] | rows, "windows": [*features["windows"], *windows]},
        decision=tree["decision"] | {"rules": [*tree["decision"].get("rules", []), *rules]},
        **changes,
    )


def pieced(number: int, pieces: dict[str, str], more: list[tuple[str, str]]) -> bytes:
    """A payment with some values replaced by ``pieces``, and further keys behind it, known ones twice."""
    sound = {name: msgspec.json.encode(value).decode() for name, value in event(number).items()}
    pairs = [*(sound | pieces).items(), *more]
    text = ",".join(f'"{name}":{value}' for name, value in pairs)
    return ("{" + text + "}").encode("utf-8", "surrogatepass")


def hostile_bodies(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[bytes | None]:
    """Any of them, payments with hostile values in them more often."""
    names = st.sampled_from(sorted(event(0) | MORE_FIELDS))
    values: Any = st.sampled_from(HOSTILE_VALUES)
    pairs = st.lists(st.tuples(names | st.just("unknown"), values), max_size=3)
    payments = st.builds(pieced, numbers, st.dictionaries(names, values, max_size=3), pairs)
    cut = st.builds(lambda body, at: body[: int(at * len(body))], payments, st.floats(0, 1))
    return payments | payments | cut | st.sampled_from(WHOLE) | st.binary(max_size=60)
