"""Events in other formats than JSON, made JSON at the edge: what follows is the same for all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.errors import BadEventError
from streams.kafka import unframe_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feature_store.declaration.event import EventSpec
    from feature_store.declaration.pipeline import Pipeline


def events_as_json(pipeline: Pipeline) -> AsJson | None:
    """What makes JSON of the events of ``pipeline``; None where they are JSON. Raises ConfigError."""
    unframe = unframe_of(pipeline)
    return AsJson(pipeline.event, unframe) if unframe is not None else None


_encode = msgspec.json.Encoder(decimal_format="number").encode


class AsJson:
    """Makes JSON of the declared fields of messages in another format."""

    def __init__(self, event: EventSpec, unframe: Callable[[bytes], dict[str, Any]]) -> None:
        """``unframe`` gives a message's plain values, or raises BadEventError."""
        self._fields = tuple(event.fields)
        self._max_bytes = event.max_bytes
        self._unframe = unframe

    def all(self, raws: Sequence[bytes | None]) -> tuple[list[bytes | None], dict[int, BadEventError]]:
        """Every message as JSON; None for an empty one, and for those that are refused.

        Raises SchemaUnavailableError where it cannot be told now what a message is.
        """
        texts: list[bytes | None] = []
        refused: dict[int, BadEventError] = {}
        for place, raw in enumerate(raws):
            text = None
            if raw:
                try:
                    text = self.one(raw)
                except BadEventError as error:
                    refused[place] = error
            texts.append(text)
        return texts, refused

    def one(self, raw: bytes) -> bytes:
        """One message. Raises BadEventError, SchemaUnavailableError."""
        if len(raw) > self._max_bytes:
            raise BadEventError("too_large", f"{len(raw)} bytes; event.max_bytes is {self._max_bytes}")
        values = self._unframe(raw)
        known = {name: values[name] for name in self._fields if name in values}
        for name, value in known.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise BadEventError("invalid_field", f"{name}: {value} is not a number that JSON has")
        try:
            return _encode(known)
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise BadEventError("invalid_field", f"a value has no place in JSON: {error}") from None
