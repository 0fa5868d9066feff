"""Kafka's binary messages, read and written from one-line descriptions of their fields.

A description is a list of `name:type` and `name[…]` (array of structures). `@3` means "from
version 3 on", `@2-4` "in versions 2 to 4", and `=-1` is the value of a field that the version
lacks or the sender left out.
Strings, bytes and arrays may be null. Flexible messages have compact lengths and tagged fields.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Message = dict[str, Any]
_NEWEST = 99
_LOW = 0x7F  # a byte of a variable-width number carries seven bits; the top bit says "more"
_NUMBERS = {
    kind: struct.Struct(layout)
    for kind, layout in {"bool": ">?", "i8": ">b", "i16": ">h", "i32": ">i", "i64": ">q"}.items()
}
_DEFAULTS = {"": (), "ints": (), "str": None, "bytes": None}
_TOKEN = re.compile(
    r"(?P<name>\w+)(?::(?P<kind>\w+))?(?:@(?P<since>\d+)(?:-(?P<until>\d+))?)?"
    r"(?:=(?P<default>-?\d+|''))?(?P<open>\[)?"
    r"|(?P<close>\])"
)


class MalformedError(ValueError):
    """Bytes that are not the message that they claim to be."""


class Field(NamedTuple):
    """One field of a message; one without `kind` is an array of structures of `fields`."""

    name: str
    kind: str
    since: int
    until: int
    default: Any
    fields: tuple["Field", ...]


def parse(description: str) -> tuple[Field, ...]:
    """Return the fields that a description (see the module) names."""
    return tuple(_fields(_TOKEN.finditer(description)))


def _fields(tokens: Iterator[re.Match[str]]) -> Iterator[Field]:
    for token in tokens:
        if token["close"]:
            return
        kind = token["kind"] or ""
        default: Any = _DEFAULTS.get(kind, 0)
        if token["default"]:
            default = "" if token["default"] == "''" else int(token["default"])
        nested = tuple(_fields(tokens)) if token["open"] else ()
        since, until = int(token["since"] or 0), int(token["until"] or _NEWEST)
        yield Field(token["name"], kind, since, until, default, nested)


class Reader:
    """A cursor over one frame; reading past its end raises MalformedError."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self.at = 0
        self.flexible = False

    def take(self, size: int) -> memoryview:
        """Return the next `size` bytes."""
        end = self.at + size
        if size < 0 or end > len(self._data):
            raise MalformedError(f"{size} bytes wanted at {self.at} of {len(self._data)}")
        chunk, self.at = self._data[self.at : end], end
        return chunk

    def message(self, fields: Sequence[Field], version: int) -> Message:
        """Return the next structure of such fields."""
        message = {}
        for field in fields:
            if not field.since <= version <= field.until:
                message[field.name] = field.default
            elif field.kind:
                message[field.name] = self.value(field.kind)
            else:
                count = self._length("i32")
                message[field.name] = (
                    None if count < 0 else [self.message(field.fields, version) for _ in range(count)]
                )
        if self.flexible:
            self.skip_tags()
        return message

    def value(self, kind: str) -> Any:
        """Return the next plain value."""
        if kind in _NUMBERS:
            return _NUMBERS[kind].unpack(self.take(_NUMBERS[kind].size))[0]
        size = self._length("i16" if kind == "str" else "i32")
        if size < 0:
            return None
        if kind == "ints":
            return [self.value("i32") for _ in range(size)]
        chunk = self.take(size)
        return str(chunk, "utf-8") if kind == "str" else chunk

    def _length(self, kind: str) -> int:
        return self.uvarint() - 1 if self.flexible else int(self.value(kind))

    def uvarint(self) -> int:
        """Return the next unsigned number of variable width, at most ten bytes of it."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & _LOW) << shift
            if byte <= _LOW:
                return value
        raise MalformedError(f"a number longer than ten bytes at {self.at}")

    def skip_tags(self) -> None:
        """Pass over the tagged fields at the end of a flexible structure."""
        for _ in range(self.uvarint()):
            self.uvarint()
            self.take(self.uvarint())


class Writer:
    """Collects the bytes of one message in `out`."""

    def __init__(self, out: bytearray, *, flexible: bool) -> None:
        self.out = out
        self._flexible = flexible

    def message(self, fields: Sequence[Field], version: int, message: Message) -> None:
        """Append a structure; fields that the message lacks take their default."""
        for field in fields:
            value = message.get(field.name, field.default)
            if not field.since <= version <= field.until:
                continue
            if field.kind:
                self._value(field.kind, value)
                continue
            self._length("i32", value)
            for item in value or ():
                self.message(field.fields, version, item)
        if self._flexible:
            self.out.append(0)

    def _value(self, kind: str, value: Any) -> None:
        if kind in _NUMBERS:
            self.out += _NUMBERS[kind].pack(value)
        elif kind == "ints":
            self._length("i32", value)
            self.out += b"".join(map(_NUMBERS["i32"].pack, value or ()))
        else:
            raw = value.encode() if isinstance(value, str) else value
            self._length("i16" if kind == "str" else "i32", raw)
            self.out += raw or b""

    def _length(self, kind: str, value: Any) -> None:
        size = -1 if value is None else len(value)
        self.out += uvarint(size + 1) if self._flexible else _NUMBERS[kind].pack(size)


def uvarint(value: int) -> bytes:
    """Return an unsigned number in its variable-width form."""
    out = bytearray()
    while value > _LOW:
        out.append(value & _LOW | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
