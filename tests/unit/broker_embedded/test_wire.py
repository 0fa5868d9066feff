"""The binary format of messages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.broker.embedded.messages import APIS
from streams.broker.embedded.wire import Field, MalformedError, Message, Reader, Writer, parse, uvarint

FIELDS = parse("id:i32 name:str@1 flags:ints@2 items[key:str value:bytes size:i64@2=-7] last:i8=5")
MESSAGES = st.fixed_dictionaries({
    "id": st.integers(-(2**31), 2**31 - 1),
    "name": st.none() | st.text(max_size=20),
    "flags": st.none() | st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
    "items": st.none() | st.lists(st.fixed_dictionaries({
        "key": st.none() | st.text(max_size=200),
        "value": st.none() | st.binary(max_size=300),
        "size": st.integers(-(2**63), 2**63 - 1),
    }), max_size=4),
    "last": st.integers(-128, 127),
})  # fmt: skip


class Codec:
    """One version of some fields, as bytes and back."""

    def __init__(self, fields: tuple[Field, ...], version: int, flexible: bool) -> None:
        self.fields, self.version, self.flexible = fields, version, flexible

    def reader(self, data: bytes) -> Reader:
        made = Reader(data)
        made.flexible = self.flexible
        return made

    def read(self, reader: Reader) -> Message:
        return reader.message(self.fields, self.version)

    def written(self, message: Message) -> bytes:
        writer = Writer(bytearray(), flexible=self.flexible)
        writer.message(self.fields, self.version, message)
        return bytes(writer.out)


class TestCodec:
    @given(MESSAGES, st.booleans())
    def test_what_is_written_is_read(self, message: dict[str, Any], flexible: bool) -> None:
        codec = Codec(FIELDS, 2, flexible)
        reader = codec.reader(codec.written(message))
        assert codec.read(reader) == message
        assert reader.at == len(reader._data)

    def test_bytes_of_a_fixed_message(self) -> None:
        message = {"id": 1, "name": "ab", "items": [{"key": None, "value": b"v"}], "last": -1}
        plain = "000000010002616200000001ffff0000000176ff"
        assert Codec(FIELDS, 1, flexible=False).written(message).hex() == plain
        compact = "000000010361620200027600ff00"
        assert Codec(FIELDS, 1, flexible=True).written(message).hex() == compact

    def test_absent_fields_have_their_defaults(self) -> None:
        oldest = Codec(FIELDS, 0, flexible=False)
        read = oldest.read(oldest.reader(oldest.written({"items": [{"key": "k"}]})))
        assert read == {
            "id": 0, "name": None, "flags": (), "last": 5,
            "items": [{"key": "k", "value": None, "size": -7}],
        }  # fmt: skip

    def test_unknown_tags_are_passed_over(self) -> None:
        codec = Codec(parse("a:i8"), 0, flexible=True)
        reader = codec.reader(b"\x07" + b"\x02" + b"\x00\x01x" + b"\x05\x03abc" + b"next")
        assert codec.read(reader) == {"a": 7}
        assert bytes(reader.take(4)) == b"next"

    @given(MESSAGES, st.booleans(), st.data())
    def test_a_cut_message_is_malformed(
        self, message: dict[str, Any], flexible: bool, data: st.DataObject
    ) -> None:
        codec = Codec(FIELDS, 2, flexible)
        whole = codec.written(message)
        cut = data.draw(st.integers(0, len(whole) - 1))
        with pytest.raises(MalformedError):
            codec.read(codec.reader(whole[:cut]))

    @given(st.binary(max_size=60), st.booleans())
    def test_garbage_is_read_or_refused_as_a_value_error(self, garbage: bytes, flexible: bool) -> None:
        try:
            codec = Codec(FIELDS, 2, flexible)
            read = codec.read(codec.reader(garbage))
        except ValueError:
            return
        assert set(read) == {field.name for field in FIELDS}

    def test_an_endless_number_is_malformed(self) -> None:
        with pytest.raises(MalformedError, match="ten bytes"):
            Reader(b"\xff" * 11).uvarint()


class TestNumbers:
    @given(st.integers(0, 2**63 - 1))
    def test_variable_width_numbers(self, number: int) -> None:
        assert Reader(uvarint(number)).uvarint() == number


class TestApis:
    @pytest.mark.parametrize("name", APIS)
    def test_every_version_of_every_message_survives_a_round_trip(self, name: str) -> None:
        api = APIS[name]
        for version in range(api.oldest, api.newest + 1):
            for fields in (api.request, api.response):
                codec = Codec(fields, version, version >= api.flexible)
                reader = codec.reader(codec.written({}))
                codec.read(reader)
                assert reader.at == len(reader._data)
