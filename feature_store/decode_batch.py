"""Raw messages -> columns, a whole batch at a time.

What ``EventDecoder`` says about one message is what counts. Here the usual forms are decoded by column,
several times as fast; a message with anything unusual in it is given to ``EventDecoder`` by itself, so that
no event makes the others of its batch slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.columns import columns_of, to_arrow
from feature_store.declaration.event import EventSpec, FieldSpec, FieldType, Kind
from feature_store.decode import EventDecoder
from feature_store.errors import BadEventError
from feature_store.log import arrow_type, event_schema
from feature_store.repeated_keys import RepeatedKeys
from feature_store.units import FIRST_INSTANT, LAST_INSTANT

if TYPE_CHECKING:
    from collections.abc import Sequence

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]

_WIRE: dict[Kind, Any] = {Kind.STRING: str, Kind.FLOAT: float, Kind.BOOLEAN: bool}
_DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?"
_INSTANT = rf'^"{_DATE}T{_TIME}(Z|[+-](0\d|1[0-4]):[0-5]\d)"$'
_WHOLE = r"^(0|-?[1-9]\d{0,17})$"
_MILLISECONDS = r"^(0|[1-9]\d{0,13})$"
_ZONED = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Decoded:
    """The sound events of a batch, in order; ``places`` says which message each row was."""

    events: pa.RecordBatch
    places: Ints
    refused: list[tuple[int, BadEventError]]


class BatchDecoder:
    """Decodes and checks the messages of one pipeline."""

    def __init__(self, event: EventSpec, decoder: EventDecoder | None = None) -> None:
        self._event = event
        self._schema = event_schema(event)
        self._one = decoder or EventDecoder(event)
        self._max_bytes = event.max_bytes
        fields = [
            (name, kind) if spec.required else (name, kind, None)
            for name, spec in event.fields.items()
            for kind in [_wire(spec)]
        ]
        struct = msgspec.defstruct("Event", fields, kw_only=True, gc=False)
        self._decode = msgspec.json.Decoder(struct).decode
        self._keys = RepeatedKeys()

    def decode(self, raws: Sequence[bytes | None]) -> Decoded:
        """Every message as a row, or with the BadEventError that ``EventDecoder`` raises for it."""
        structs, usual, unusual = self._parsed(raws)
        arrays, clean = self._columns(structs)
        clean &= ~self._keys.may_repeat([raws[place] or b"" for place in usual])
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        places = np.array(usual, np.int64)
        if not clean.all():
            unusual = sorted([*unusual, *places[~clean].tolist()])
            batch, places = batch.filter(pa.array(clean)), places[clean]
        if not unusual:
            return Decoded(batch, places, [])
        return self._with(batch, places, raws, unusual)

    def _parsed(self, raws: Sequence[bytes | None]) -> tuple[list[Any], list[int], list[int]]:
        """What has the declared fields, and the places of that and of all others."""
        decode, longest = self._decode, self._max_bytes
        structs, usual, unusual = [], [], []
        for place, raw in enumerate(raws):
            if raw and len(raw) <= longest:
                try:
                    structs.append(decode(raw))
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    unusual.append(place)
                else:
                    usual.append(place)
            else:
                unusual.append(place)
        return structs, usual, unusual

    def _columns(self, structs: list[Any]) -> tuple[list[pa.Array[Any]], Bools]:
        columns = list(zip(*map(msgspec.structs.astuple, structs), strict=True)) or [()] * len(self._schema)
        clean = np.ones(len(structs), np.bool_)
        arrays = []
        for spec, values in zip(self._event.fields.values(), columns, strict=True):
            if spec.type.kind in _WIRE:
                arrays.append(pa.array(values, arrow_type(spec.type)))
            else:
                array, sound = _numbers(spec, values)
                arrays.append(array)
                clean &= sound
        return arrays, clean

    def _with(
        self, batch: pa.RecordBatch, places: Ints, raws: Sequence[bytes | None], unusual: list[int]
    ) -> Decoded:
        """The batch with what ``EventDecoder`` makes of the unusual ones, in order."""
        found, sound, refused = [], [], []
        for place in unusual:
            try:
                found.append(self._one.decode(raws[place]))
            except BadEventError as error:
                refused.append((place, error))
            else:
                sound.append(place)
        if found:
            columns = columns_of(self._event, found)
            arrays = [to_arrow(spec.type, columns[name]) for name, spec in self._event.fields.items()]
            added = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
            places = np.concatenate([places, np.array(sound, np.int64)])
            order = np.argsort(places)
            both = pa.Table.from_batches([batch, added]).combine_chunks().to_batches()
            batch, places = both[0].take(order), places[order]
        return Decoded(batch, places, refused)


def _wire(spec: FieldSpec) -> Any:
    kind = _WIRE.get(spec.type.kind)
    if kind is None:
        return msgspec.Raw  # numbers and times are read by column
    return kind if spec.required else kind | None


def _numbers(spec: FieldSpec, values: Sequence[Any]) -> tuple[pa.Array[Any], Bools]:
    """A column of JSON pieces in its declared type, and which of them are in the usual form."""
    texts = _texts(values)
    convert = _instants if spec.type.kind is Kind.TIMESTAMP else _wholes_or_decimals
    array, usual = convert(spec.type, texts)
    if not spec.required:
        usual |= pc.equal(texts, pa.scalar("null")).to_numpy(zero_copy_only=False)
    return array, usual


def _texts(values: Sequence[Any]) -> pa.Array[Any]:
    pieces = [b"null" if value is None else value for value in values]
    split = b"\n".join(pieces).split(b"\n") if pieces else []
    if len(split) != len(pieces):  # a value that is an object, over several lines
        split = [bytes(piece).replace(b"\n", b" ") for piece in pieces]
    try:
        return pa.array(split, pa.string())
    except pa.ArrowInvalid:
        return pa.array([piece if piece.isascii() else b"" for piece in split], pa.string())


def _wholes_or_decimals(kind: FieldType, texts: pa.Array[Any]) -> tuple[pa.Array[Any], Bools]:
    whole = kind.precision - kind.scale
    usual = _matches(texts, _WHOLE if kind.kind is Kind.INTEGER else _decimal_form(whole, kind.scale))
    return pc.cast(_only(texts, usual), arrow_type(kind)), usual


def _decimal_form(whole: int, scale: int) -> str:
    digits = rf"(0|[1-9]\d{{0,{whole - 1}}})" if whole > 0 else "0"
    return rf"^-?{digits}(\.\d{{1,{scale}}})?$" if scale else rf"^-?{digits}$"


def _instants(kind: FieldType, texts: pa.Array[Any]) -> tuple[pa.Array[Any], Bools]:
    if len(texts) and texts[0].as_py()[:1].isdigit():  # a producer writes the one form or the other
        usual = _matches(texts, _MILLISECONDS)
        milliseconds = pc.cast(_only(texts, usual), pa.int64()).fill_null(0).to_numpy()
        usual &= milliseconds * 1_000 <= LAST_INSTANT
        return pa.array((milliseconds * 1_000).view("M8[us]"), arrow_type(kind), mask=~usual), usual
    usual = _matches(texts, _INSTANT)
    zoned, parsed = _parsed_instants(pc.ascii_trim(_only(texts, usual), '"'))
    micros = zoned.cast(pa.int64()).fill_null(0).to_numpy()
    usual &= parsed & (micros >= FIRST_INSTANT) & (micros <= LAST_INSTANT)
    return pa.array(micros.view("M8[us]"), arrow_type(kind), mask=None if usual.all() else ~usual), usual


def _parsed_instants(texts: pa.Array[Any]) -> tuple[pa.Array[Any], Bools]:
    """Instants, and which are days of the calendar: 30 February is found by halving."""
    try:
        return pc.cast(texts, _ZONED), np.ones(len(texts), np.bool_)
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return pa.nulls(1, _ZONED), np.zeros(1, np.bool_)
    middle = len(texts) // 2
    left, right = _parsed_instants(texts[:middle]), _parsed_instants(texts[middle:])
    return pa.concat_arrays([left[0], right[0]]), np.concatenate([left[1], right[1]])


def _matches(texts: pa.Array[Any], form: str) -> Bools:
    found: Bools = pc.match_substring_regex(texts, form).to_numpy(zero_copy_only=False)
    return np.array(found, np.bool_)


def _only(texts: pa.Array[Any], usual: Bools) -> pa.Array[Any]:
    return texts if usual.all() else pc.if_else(pa.array(usual), texts, pa.scalar(None, pa.string()))
