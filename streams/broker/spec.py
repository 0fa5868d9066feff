"""The `broker` setting: which Kafka is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from streams.broker.errors import BrokerSpecError

if TYPE_CHECKING:
    from streams.broker.process import GuardedProcess

_EXPECTED = "expected auto, kafka, embedded, or addresses such as broker-1:9092,broker-2:9092"
_HIGHEST_PORT = 65_535


class BrokerKind(StrEnum):
    """Who answers at the broker's address."""

    GIVEN = "given"
    KAFKA = "kafka"
    EMBEDDED = "embedded"


class Choice(StrEnum):
    """What the `broker` setting asks for."""

    AUTO = "auto"
    KAFKA = "kafka"
    EMBEDDED = "embedded"
    GIVEN = "given"


@dataclass(frozen=True)
class Address:
    """One host and TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class BrokerSpec:
    """The parsed setting; `addresses` is filled for given brokers only."""

    choice: Choice
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True)
class Broker:
    """A broker that answers; `notice` is what the user should be told about it."""

    bootstrap: str
    kind: BrokerKind
    version: str
    notice: str | None = None
    process: GuardedProcess | None = field(default=None, repr=False, compare=False)
    """The process behind it, where this program started one."""


def parse_spec(text: str) -> BrokerSpec:
    """Parse `auto | kafka | embedded | host:port,…`; raises BrokerSpecError."""
    word = text.strip()
    if word in (Choice.AUTO, Choice.KAFKA, Choice.EMBEDDED):
        return BrokerSpec(Choice(word))
    return BrokerSpec(Choice.GIVEN, tuple(_address(part, word) for part in word.split(",")))


def _address(part: str, whole: str) -> Address:
    host, separator, port = part.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or any(character.isspace() for character in host):
        raise BrokerSpecError(f"broker {whole!r}: {part!r} is not host:port; {_EXPECTED}")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT):
        raise BrokerSpecError(f"broker {whole!r}: port {port!r} is not in 1-65535; {_EXPECTED}")
    return Address(host, int(port))
