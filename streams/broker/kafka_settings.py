"""The settings of the local Apache Kafka: one node, small, quick to start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streams.broker.errors import BrokerStartError
from streams.broker.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ASCII_END = 128

SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    # One node: nothing to replicate to, nobody else to wait for.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # After a kill, a start waits for the session of the killed broker to end.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # A misspelt topic is an error, not a new topic.
    "auto.create.topics.enable": "false",
    # Small: it shares the machine with what it serves.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "16777216",
}


@dataclass(frozen=True)
class Listener:
    """One more port of a local Kafka, for clients that connect in another way."""

    name: str
    port: int
    protocol: str


@dataclass(frozen=True)
class Further:
    """What a local Kafka is told beyond `SETTINGS`, such as how listeners encrypt and who may do what."""

    listeners: tuple[Listener, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


def write_properties(
    path: Path, data: Path, port: int, controller_port: int, further: Further | None = None
) -> None:
    """Write Kafka's properties file; raises BrokerStartError where the data folder cannot be."""
    further = further or Further()
    if "," in str(data):
        raise BrokerStartError(f"Apache Kafka cannot keep its data in {data}: its name has a comma")
    own = (Listener("BROKER", port, "PLAINTEXT"), *further.listeners)
    controller = Listener("CONTROLLER", controller_port, "PLAINTEXT")
    settings = {
        **SETTINGS,
        **further.settings,
        "listeners": ",".join(_address(each) for each in (*own, controller)),
        "advertised.listeners": ",".join(map(_address, own)),
        "listener.security.protocol.map": ",".join(
            f"{each.name}:{each.protocol}" for each in (*own, controller)
        ),
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "log.dirs": str(data),
    }
    lines = (f"{name}={_escaped(value)}\n" for name, value in settings.items())
    path.write_text("".join(lines), encoding="ascii")


def _address(listener: Listener) -> str:
    return f"{listener.name}://{LOOPBACK}:{listener.port}"


def _escaped(value: str) -> str:
    """Write a value the way Java reads properties, which is not UTF-8."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(chr(code) if code < _ASCII_END else f"\\u{code:04x}" for code in codes)
