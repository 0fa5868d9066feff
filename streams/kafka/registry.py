"""The one door to the Schema Registry: framed messages as plain values, by confluent-kafka's own clients.

What the registry does not answer is asked again and never held against an event; what the registry does not
know, or what does not fit its schema, is a dead letter.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

from feature_store.declaration.clients import plain
from feature_store.errors import BadEventError, ConfigError, SchemaUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline

_MISSING_EXTRA = (
    "event.format: {format} needs the Schema Registry's client, which is not installed; "
    "pip install 'sluicegate[schema-registry]'"
)
_FRAME = 5  # a zero byte and the schema's number
_LARGEST = 2**31 - 1  # of a schema; the registry takes the address of a larger one for a wrong address
_UNKNOWN_SCHEMA = 40403  # the registry's own code; any other 404 is a wrong address
_KNOWN_MOST = 10_000
_FORGET_S = 30.0
_PATIENCE: dict[str, Any] = {"timeout": 5, "max.retries": 0}
"""The scorer asks again itself: it must hear of rebalances meanwhile."""
_NUMBERS = frozenset(
    {
        "timeout", "max.retries", "retries.wait.ms", "retries.max.wait.ms", "cache.capacity",
        "cache.latest.ttl.sec",
    }
)  # fmt: skip


class Unframe(Protocol):
    """Takes a message out of its frame."""

    def __call__(self, raw: bytes) -> dict[str, Any]:
        """Plain values by field. Raises BadEventError, SchemaUnavailableError."""
        ...


def unframe_of(pipeline: Pipeline) -> Unframe | None:
    """How events of ``pipeline`` are taken out of their frames; None where they are JSON.

    Raises ConfigError for settings that the client does not take, files that are not there, or a client that
    is not installed.
    """
    form = pipeline.event.format
    if form == "json":
        return None
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415  (an extra)

        from streams.kafka.deserializers import avro_values, protobuf_values  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(_MISSING_EXTRA.format(format=form)) from error
    settings: dict[str, Any] = {**_PATIENCE, **_typed(plain(pipeline.schema_registry))}
    try:
        client = SchemaRegistryClient(settings)
    except (ValueError, TypeError, OSError) as error:
        raise ConfigError(f"schema_registry: {error}") from error
    if pipeline.event.protobuf is not None:
        return Framed(client, protobuf_values(client, pipeline.event.protobuf), "not_protobuf", "serialized")
    return Framed(client, avro_values(client), "not_avro", None)


def _typed(settings: dict[str, str]) -> dict[str, Any]:
    """Numbers as numbers; everything else as it stands."""
    try:
        return {name: float(text) if name in _NUMBERS else text for name, text in settings.items()}
    except ValueError as error:
        raise ConfigError(f"schema_registry: {error}; these are numbers: {', '.join(_NUMBERS)}") from None


class Framed:
    """Messages with a schema's number in front."""

    def __init__(
        self, client: Any, values: Callable[[bytes], dict[str, Any]], reason: str, form: str | None
    ) -> None:
        """``client``: a SchemaRegistryClient, asked for schemas in ``form``; ``reason``: of dead letters."""
        self._client = client
        self._values = values
        self._reason = reason
        self._form = form
        self._known: set[int] = set()
        self._unknown: OrderedDict[int, float] = OrderedDict()

    def __call__(self, raw: bytes) -> dict[str, Any]:
        """Plain values by field. Raises BadEventError, SchemaUnavailableError."""
        if len(raw) <= _FRAME or raw[0] != 0:
            raise BadEventError(self._reason, "no frame of a schema registry: a zero byte, four of a number")
        number = int.from_bytes(raw[1:_FRAME])
        if number > _LARGEST:
            raise self._no_such(number)
        if number not in self._known:
            self._look_up(number)
        try:
            return self._values(raw)
        except BadEventError:
            raise
        except Exception as error:
            if unavailable := _unavailable(error):  # a schema that this one refers to
                raise unavailable from error
            raise BadEventError(self._reason, f"not of schema {number}: {_words(error)}") from None

    def _look_up(self, number: int) -> None:
        if self._unknown.get(number, 0.0) > time.monotonic():
            raise self._no_such(number)
        try:
            self._client.get_schema(number, fmt=self._form)
        except Exception as error:
            if getattr(error, "error_code", None) != _UNKNOWN_SCHEMA:
                raise _unavailable(error) or _away(error) from error
            # Remembered for a while: who publishes garbage must not make us ask for every message.
            self._unknown[number] = time.monotonic() + _FORGET_S
            self._unknown.move_to_end(number)
            if len(self._unknown) > _KNOWN_MOST:
                self._unknown.popitem(last=False)
            raise self._no_such(number) from None
        self._known.add(number)

    @staticmethod
    def _no_such(number: int) -> BadEventError:
        return BadEventError("unknown_schema", f"the schema registry has no schema {number}")


def _unavailable(error: Exception) -> SchemaUnavailableError | None:
    """Whether the registry, rather than the message, is at fault."""
    from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError  # noqa: PLC0415
    from httpx import HTTPError  # noqa: PLC0415

    if isinstance(error, HTTPError | OSError | OAuthTokenError):
        return _away(error)
    if isinstance(error, SchemaRegistryError) and error.error_code != _UNKNOWN_SCHEMA:
        return _away(error)
    return None


def _away(error: Exception) -> SchemaUnavailableError:
    return SchemaUnavailableError(f"the schema registry does not answer: {_words(error)}")


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
