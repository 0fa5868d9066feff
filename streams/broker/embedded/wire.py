"""Kafka's binary messages, read and written from one-line descriptions of their fields.

A description is a list of `name:type`, `name:type*` (array of plain values) and `name[…]` (array
of structures). `@3` means "from version 3", `@2-4` "in versions 2 to 4" and `=-1` is the value of
a field that the version lacks or the sender left out. All strings, bytes and arrays may be null.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
_LOW = 0x7F  # a byte of a variable-width number carries seven bits; the top bit says "more"

NUMBERS = {
    kind: struct.Struct(layout)
    for kind, layout in {"bool": ">?", "i8": ">b", "i16": ">h", "i32": ">i", "i64": ">q"}.items()
}
_TOKEN = re.compile(
    r"(?P<name>\w+)(?::(?P<kind>\w+)(?P<many>\*)?)?"
    r"(?:@(?P<since>\d+)(?:-(?P<until>\d+))?)?(?:=(?P<default>-?\d+|''))?(?P<open>\[)?"
    r"|(?P<close>\])"
)


class MalformedError(ValueError):
    """Bytes that are not the message that they claim to be."""


class Reader:
    """A cursor over one frame; reading past its end raises MalformedError."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = memoryview(data)
        self.at = 0

    def take(self, size: int) -> memoryview:
        """Return the next `size` bytes."""
        end = self.at + size
        if size < 0 or end > len(self.data):
            raise MalformedError(f"{size} bytes wanted at {self.at} of {len(self.data)}")
        chunk = self.data[self.at : end]
        self.at = end
        return chunk

    def number(self, kind: str) -> Any:
        """Return the next fixed-width number (or truth value)."""
        layout = NUMBERS[kind]
        return layout.unpack(self.take(layout.size))[0]

    def uvarint(self) -> int:
        """Return the next unsigned number of variable width, at most ten bytes of it."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & _LOW) << shift
            if byte <= _LOW:
                return value
        raise MalformedError(f"a number longer than ten bytes at {self.at}")

    def varint(self) -> int:
        """Return the next zigzag-coded signed number of variable width."""
        value = self.uvarint()
        return (value >> 1) ^ -(value & 1)

    def length(self, kind: str, flexible: bool) -> int:
        """Return the length in front of a string, bytes or array; -1 is null."""
        return self.uvarint() - 1 if flexible else int(self.number(kind))

    def skip_tags(self) -> None:
        """Pass over the tagged fields at the end of a flexible structure."""
        for _ in range(self.uvarint()):
            self.uvarint()
            self.take(self.uvarint())


def uvarint(value: int) -> bytes:
    """Return an unsigned number in its variable-width form."""
    out = bytearray()
    while value > _LOW:
        out.append(value & _LOW | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@dataclass(frozen=True)
class Field:
    """One field of a message; `fields` is set for an array of structures, `kind` otherwise."""

    name: str
    kind: str
    many: bool
    since: int
    until: int
    default: Any
    fields: tuple["Field", ...] = ()


def parse(description: str) -> tuple[Field, ...]:
    """Return the fields that a description (see the module) names."""
    return tuple(_fields(_TOKEN.finditer(description)))


def _fields(tokens: Iterator[re.Match[str]]) -> Iterator[Field]:
    for token in tokens:
        if token["close"]:
            return
        kind, many = token["kind"] or "", bool(token["many"])
        nested = tuple(_fields(tokens)) if token["open"] else ()
        since, until = int(token["since"] or 0), int(token["until"] or 99)
        yield Field(token["name"], kind, many, since, until, _default(token), nested)


def _default(token: re.Match[str]) -> Any:
    if token["default"]:
        return "" if token["default"] == "''" else int(token["default"])
    if token["open"] or token["many"]:
        return ()
    return 0 if token["kind"] in NUMBERS else None


class Codec:
    """Reads and writes one version of one message."""

    def __init__(self, fields: Sequence[Field], version: int, flexible: bool) -> None:
        self._flexible = flexible
        self._absent = {f.name: f.default for f in fields if not f.since <= version <= f.until}
        self._present = [
            (field, Codec(field.fields, version, flexible) if field.fields else None)
            for field in fields
            if field.name not in self._absent
        ]

    def read(self, reader: Reader) -> Message:
        """Return the message; raises MalformedError."""
        message = dict(self._absent)
        for field, nested in self._present:
            if field.many or nested:
                count = reader.length("i32", self._flexible)
                message[field.name] = None if count < 0 else [
                    nested.read(reader) if nested else self._read(reader, field.kind)
                    for _ in range(count)
                ]  # fmt: skip
            else:
                message[field.name] = self._read(reader, field.kind)
        if self._flexible:
            reader.skip_tags()
        return message

    def _read(self, reader: Reader, kind: str) -> Any:
        if kind in NUMBERS:
            return reader.number(kind)
        size = reader.length("i16" if kind == "str" else "i32", self._flexible)
        if size < 0:
            return None
        chunk = reader.take(size)
        return chunk if kind == "bytes" else str(chunk, "utf-8")

    def write(self, out: bytearray, message: Mapping[str, Any]) -> None:
        """Append the message; fields that it lacks take their default."""
        for field, nested in self._present:
            value = message.get(field.name, field.default)
            if not (field.many or nested):
                self._write(out, field.kind, value)
                continue
            self._write_length(out, "i32", value)
            for item in value or ():
                if nested:
                    nested.write(out, item)
                else:
                    self._write(out, field.kind, item)
        if self._flexible:
            out.append(0)

    def _write(self, out: bytearray, kind: str, value: Any) -> None:
        if kind in NUMBERS:
            out += NUMBERS[kind].pack(value)
            return
        raw = value.encode() if isinstance(value, str) else value
        self._write_length(out, "i16" if kind == "str" else "i32", raw)
        out += raw or b""

    def _write_length(self, out: bytearray, kind: str, value: Any) -> None:
        size = -1 if value is None else len(value)
        out += uvarint(size + 1) if self._flexible else NUMBERS[kind].pack(size)
