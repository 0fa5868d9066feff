"""Three Apache Kafka brokers on this machine, one of them the controller, too."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.broker.class_archive import reading_options
from streams.broker.health import live_brokers
from streams.broker.kafka_home import find_kafka
from streams.broker.kafka_settings import SETTINGS
from streams.broker.ports import LOOPBACK, choose_ports
from streams.broker.process import GuardedProcess
from streams.broker.spec import Address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.broker.kafka_home import Installation

NODES = (1, 2, 3)
_CLUSTER_ID = "c2x1aWNlZ2F0ZS10ZXN0cw"
SAFE = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}
FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xlog:cds=off")
_HEAP = "-Xmx256m"
_START_S = 120.0


@dataclass(frozen=True)
class Cluster:
    """Node -> where it answers, and its process."""

    addresses: dict[int, Address]
    processes: dict[int, GuardedProcess]

    @property
    def bootstrap(self) -> str:
        """Every address."""
        return ",".join(map(str, self.addresses.values()))


@contextmanager
def running_cluster(state: Path, jar_cache: Path) -> Iterator[Cluster]:
    """Raises KafkaUnavailableError where this machine cannot run Kafka."""
    kafka = find_kafka(jar_cache, lambda _step: None)
    controller, *ports = choose_ports(state / "ports.json", 1 + len(NODES))
    cluster = Cluster({node: Address(LOOPBACK, port) for node, port in zip(NODES, ports, strict=True)}, {})
    with ExitStack() as stack:
        for node, address in cluster.addresses.items():
            folder = state / f"node-{node}"
            folder.mkdir()
            _write_properties(folder, node, address, controller)
            cluster.processes[node] = stack.enter_context(_started(kafka, folder))
        deadline = time.monotonic() + _START_S
        while not _all_answer(cluster):
            assert time.monotonic() < deadline, f"the cluster did not start; see {state}"
            time.sleep(0.1)
        yield cluster


def _write_properties(folder: Path, node: int, address: Address, controller: int) -> None:
    own, first = f"BROKER://{address}", node == NODES[0]
    control = f"CONTROLLER://{LOOPBACK}:{controller}"
    settings = {
        **SETTINGS,
        **SAFE,
        "process.roles": "broker,controller" if first else "broker",
        "node.id": str(node),
        "listeners": f"{own},{control}" if first else own,
        "advertised.listeners": own,
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": f"{NODES[0]}@{LOOPBACK}:{controller}",
        "log.dirs": str(folder / "data"),
    }
    lines = (f"{name}={value}\n" for name, value in settings.items())
    (folder / "server.properties").write_text("".join(lines), encoding="ascii")


def _started(kafka: Installation, folder: Path) -> GuardedProcess:
    java = [
        *(str(kafka.java.program), *FLAGS, _HEAP, *reading_options(kafka.archive)),
        *("-cp", ":".join(map(str, kafka.jars))),
    ]
    properties = str(folder / "server.properties")
    format_it = ("kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER_ID, "--config", properties)
    subprocess.run([*java, *format_it], check=True, capture_output=True, timeout=_START_S)
    return GuardedProcess(
        [*java, "kafka.Kafka", properties],
        output=folder / "console.log",
        pid_file=folder / "pid",
        grace=20.0,
        keep=(),
    )


def _all_answer(cluster: Cluster) -> bool:
    try:
        return all(live_brokers(each, timeout=2.0) == len(NODES) for each in cluster.addresses.values())
    except (OSError, ValueError):
        return False
