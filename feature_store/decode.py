"""Raw message -> typed values, or the reason why not.

Values are what state and log work with: text, 64-bit integers, floats, booleans; decimals as whole minor
units; instants as microseconds. A decoded event is a tuple in the order of the declared fields.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Context, Decimal, Inexact
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from feature_store.declaration.event import EventSpec, FieldSpec, Kind
from feature_store.errors import BadEventError
from feature_store.repeated_keys import RepeatedKeys
from feature_store.units import FIRST_INSTANT, LAST_INSTANT, to_micros

if TYPE_CHECKING:
    from collections.abc import Callable

Values = tuple[Any, ...]

_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63) + 1, le=2**63 - 1)]
"""The least of all is not a value: it stands for null inside."""
_WIRE: dict[Kind, Any] = {
    Kind.STRING: str,
    Kind.INTEGER: _INT64,
    Kind.DECIMAL: Decimal,
    Kind.FLOAT: float,
    Kind.BOOLEAN: bool,
    Kind.TIMESTAMP: datetime | int,
}
_EXACT = Context(prec=40, traps=[Inexact])  # no digit is rounded away unseen
_LAST_MILLISECOND = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


class EventDecoder:
    """Decodes and checks the messages of one pipeline."""

    def __init__(self, event: EventSpec) -> None:
        self._max_bytes = event.max_bytes
        fields = [_wire_field(name, spec) for name, spec in event.fields.items()]
        struct = msgspec.defstruct("Event", fields, kw_only=True)
        self._decode = msgspec.json.Decoder(struct).decode
        self._keys = RepeatedKeys()
        self._convert = [
            (position, name, convert)
            for position, (name, spec) in enumerate(event.fields.items())
            if (convert := _converter(spec)) is not None
        ]

    def decode(self, raw: bytes | None) -> Values:
        """The event's values in declared order. Raises BadEventError for anything but a sound event."""
        if not raw:
            raise BadEventError("empty", "the message has no value")
        if len(raw) > self._max_bytes:
            raise BadEventError("too_large", f"{len(raw)} bytes; event.max_bytes is {self._max_bytes}")
        values = self._parse(raw)
        for position, name, convert in self._convert:
            value = values[position]
            if value is not None:
                try:
                    values[position] = convert(value)
                except ValueError as error:
                    raise BadEventError("invalid_field", f"{name}: {error}") from None
        return tuple(values)

    def _parse(self, raw: bytes) -> list[Any]:
        try:
            found = list(msgspec.structs.astuple(self._decode(raw)))
            repeats = self._keys.repeats(raw)
        except msgspec.ValidationError as error:
            raise BadEventError("invalid_field", str(error)) from None
        except msgspec.DecodeError as error:
            raise BadEventError("not_json", str(error)) from None
        except UnicodeDecodeError as error:
            raise BadEventError("not_json", f"not UTF-8: {error.reason}") from None
        except RecursionError:
            raise BadEventError("not_json", "nested too deeply") from None
        if repeats:
            raise BadEventError("duplicate_key", "a key stands in it twice, and readers disagree about such")
        return found


def _wire_field(name: str, spec: FieldSpec) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = _WIRE[spec.type.kind]
    return (name, kind) if spec.required else (name, kind | None, None)


def _converter(spec: FieldSpec) -> Callable[[Any], int] | None:
    if spec.type.kind is Kind.TIMESTAMP:
        return _instant
    if spec.type.kind is Kind.DECIMAL:
        precision, scale = spec.type.precision, spec.type.scale
        return lambda value: _minor_units(value, precision, scale)
    return None


def _instant(value: datetime | int) -> int:
    if isinstance(value, int):
        if not 0 <= value <= _LAST_MILLISECOND:
            raise ValueError(f"{value} is not in milliseconds since 1970")
        return value * 1_000
    if value.tzinfo is None:
        raise ValueError("the time has no UTC offset; write 2026-01-31T12:00:00Z")
    micros = to_micros(value)
    if not FIRST_INSTANT <= micros <= LAST_INSTANT:
        raise ValueError("the time is not in the years 1 to 9999 UTC")
    return micros


def _minor_units(value: Decimal, precision: int, scale: int) -> int:
    # The exponent is checked before any arithmetic: 1e999999999 must not be expanded.
    if not value:
        return 0
    if not value.is_finite() or value.adjusted() >= precision - scale:
        raise ValueError(f"out of range for decimal({precision},{scale})")
    try:
        minor = value.scaleb(scale, _EXACT) if value.adjusted() >= -scale else value
    except Inexact:
        raise ValueError(f"more than {scale} digits behind the point") from None
    whole = int(minor)
    if minor != whole:
        raise ValueError(f"more than {scale} digits behind the point")
    return whole
