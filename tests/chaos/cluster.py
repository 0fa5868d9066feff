"""Three Apache Kafka nodes, each broker and controller, each in a room and with a disk of its own."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.broker.class_archive import reading_options
from streams.broker.health import live_brokers
from streams.broker.kafka_home import find_kafka
from streams.broker.kafka_server import _LOGGING
from streams.broker.kafka_settings import SETTINGS
from streams.broker.ports import choose_ports
from streams.broker.spec import Address
from tests.chaos.disks import disk
from tests.chaos.parts import Part
from tests.support.cluster import FLAGS, NODES, SAFE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.broker.kafka_home import Installation
    from tests.chaos.disks import Disk
    from tests.chaos.rooms import House, Room

_CLUSTER_ID = "c2x1aWNlZ2F0ZS1jaGFvcw"
_SETTINGS = {
    **SAFE,
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "controller.quorum.election.timeout.ms": "1000",
    "controller.quorum.fetch.timeout.ms": "2000",
    "replica.lag.time.max.ms": "4000",
    "log.index.size.max.bytes": "1048576",
}
_HEAP = "-Xmx300m"
_START_S = 240.0
_DISK_MB = 700


@dataclass(frozen=True)
class Node:
    """One of the three."""

    part: Part
    room: Room
    disk: Disk
    address: Address


@dataclass(frozen=True)
class Cluster:
    """By number."""

    nodes: dict[int, Node]

    @property
    def bootstrap(self) -> str:
        """Every address."""
        return ",".join(str(node.address) for node in self.nodes.values())

    def whole(self) -> bool:
        """Whether every node answers, and sees every other."""
        try:
            return all(live_brokers(n.address, timeout=2.0) == len(NODES) for n in self.nodes.values())
        except (OSError, ValueError):
            return False

    def leader(self) -> int:
        """The node that is the active controller, by the newest election that any has heard of."""
        _, found = max(_led(node.part.log.parent / "metadata") for node in self.nodes.values())
        return found if found in self.nodes else NODES[0]


@contextmanager
def running_cluster(folder: Path, jar_cache: Path, house: House) -> Iterator[Cluster]:
    """Raises KafkaUnavailableError where this machine cannot run Kafka."""
    kafka = find_kafka(jar_cache, lambda _step: None)
    rooms = {number: house.rooms[f"node{number}"] for number in NODES}
    ports = _ports(folder, cables=house.cables)
    voters = ",".join(f"{number}@{rooms[number].address}:{ports[number][1]}" for number in NODES)
    nodes: dict[int, Node] = {}
    with ExitStack() as stack:
        for number in NODES:
            own = folder / f"node-{number}"
            small = stack.enter_context(disk(own / "disk", _DISK_MB))
            address = Address(rooms[number].address, ports[number][0])
            properties = _properties(own, number, address, ports[number][1], voters)
            java = _java(kafka)
            _format(java, properties)
            logging = (f"-Dlog4j2.configurationFile={_LOGGING}", f"-Dkafka.log.dir={own}")
            command = [java[0], *logging, *java[1:], "kafka.Kafka", str(properties)]
            part = Part(f"node{number}", rooms[number].command(command), own / "console.log")
            nodes[number] = Node(part, rooms[number], small, address)
            stack.callback(part.end)
            part.start()
        cluster = Cluster(nodes)
        wait_until_whole(cluster)
        yield cluster


def wait_until_whole(cluster: Cluster) -> None:
    """Return when all three answer."""
    deadline = time.monotonic() + _START_S
    while not cluster.whole():
        for node in cluster.nodes.values():
            node.part.revive()
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster does not become whole")
        time.sleep(0.2)


def _ports(folder: Path, *, cables: bool) -> dict[int, tuple[int, int]]:
    if cables:
        return dict.fromkeys(NODES, (9092, 9093))
    ports = choose_ports(folder / "ports.json", 2 * len(NODES))
    return {number: (ports[2 * at], ports[2 * at + 1]) for at, number in enumerate(NODES)}


def _java(kafka: Installation) -> list[str]:
    options = (*FLAGS, _HEAP, *reading_options(kafka.archive))
    return [str(kafka.java.program), *options, "-cp", ":".join(map(str, kafka.jars))]


def _format(java: list[str], properties: Path) -> None:
    tool = ("kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER_ID, "--config", str(properties))
    subprocess.run([*java, *tool], check=True, capture_output=True, timeout=_START_S)


def _properties(folder: Path, number: int, address: Address, control: int, voters: str) -> Path:
    settings = {
        **SETTINGS,
        **_SETTINGS,
        "process.roles": "broker,controller",
        "node.id": str(number),
        "listeners": f"BROKER://{address},CONTROLLER://{address.host}:{control}",
        "advertised.listeners": f"BROKER://{address}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": voters,
        "log.dirs": str(folder / "disk" / "data"),
        "metadata.log.dir": str(folder / "metadata"),
    }
    path = folder / "server.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="ascii")
    return path


def _led(metadata: Path) -> tuple[int, int]:
    """The newest term that a node has heard of, and who leads in it."""
    try:
        state = json.loads((metadata / "__cluster_metadata-0" / "quorum-state").read_bytes())
    except (OSError, ValueError):
        return -1, -1
    return state.get("leaderEpoch", -1), state.get("leaderId", -1)
