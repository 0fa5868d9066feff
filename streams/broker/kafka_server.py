"""Run Apache Kafka on this machine: one process, KRaft, broker and controller in one."""

from __future__ import annotations

import base64
import signal
import subprocess
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streams.broker.class_archive import class_archive
from streams.broker.errors import BrokerStartError
from streams.broker.health import live_brokers
from streams.broker.ports import LOOPBACK, choose_ports
from streams.broker.process import GuardedProcess
from streams.broker.readiness import last_lines, wait_until_ready
from streams.broker.spec import Address, Broker, BrokerKind
from streams.broker.state_lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streams.broker.kafka_home import Installation

_LOGGING = Path(__file__).with_name("log4j2.xml")
_READY_SECONDS = 90.0
_FORMAT_SECONDS = 60
_GRACE_SECONDS = 20.0
_ASCII_END = 128
_TERMINATED = 128 + signal.SIGTERM  # how Java ends after a clean stop
_FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xlog:cds=off")

SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
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
class _Folders:
    """Where one local Kafka keeps its things."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def properties(self) -> Path:
        return self.root / "server.properties"


@contextmanager
def running_kafka(
    kafka: Installation, state_dir: Path, *, heap_mb: int, progress: Callable[[str], None]
) -> Iterator[Broker]:
    """Run Kafka with its data in `state_dir`/kafka until the block ends.

    Raises StateInUseError where another process does so, BrokerStartError where it does not start.
    """
    folders = _Folders((state_dir / "kafka").resolve())
    folders.log.mkdir(parents=True, exist_ok=True)
    with exclusive(folders.root / "lock") as lock:
        port, controller_port = choose_ports(folders.root / "ports.json")
        progress(f"starting Apache Kafka {kafka.version}…")
        _write_properties(folders, port, controller_port)
        _format_once(kafka, folders)
        address = Address(LOOPBACK, port)
        with _process(kafka, folders, heap_mb, lock) as process:
            wait_until_ready(
                process,
                lambda: live_brokers(address, timeout=2.0) > 0,
                name=f"Apache Kafka {kafka.version}",
                log=folders.log / "server.log",
                timeout=_READY_SECONDS,
            )
            progress(f"Apache Kafka {kafka.version} at {address}")
            yield Broker(str(address), BrokerKind.KAFKA, kafka.version, process=process)


def _write_properties(folders: _Folders, port: int, controller_port: int) -> None:
    if "," in str(folders.data):
        raise BrokerStartError(f"Apache Kafka cannot use {folders.data}: it has a comma in its name")
    broker, controller = f"BROKER://{LOOPBACK}:{port}", f"CONTROLLER://{LOOPBACK}:{controller_port}"
    settings = {
        **SETTINGS,
        "listeners": f"{broker},{controller}",
        "advertised.listeners": broker,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "log.dirs": str(folders.data),
    }
    lines = (f"{name}={_escaped(value)}\n" for name, value in settings.items())
    folders.properties.write_text("".join(lines), encoding="ascii")


def _escaped(value: str) -> str:
    """Write a value the way Java reads properties, which is not UTF-8."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(chr(code) if code < _ASCII_END else f"\\u{code:04x}" for code in codes)


def _format_once(kafka: Installation, folders: _Folders) -> None:
    if (folders.data / "meta.properties").is_file():
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    options = ("--cluster-id", f"s{cluster[1:]}", "--config", str(folders.properties))
    # --ignore-formatted: an earlier try may have been interrupted.
    command = _java(kafka, folders, "kafka.tools.StorageTool", "format", "--ignore-formatted")
    try:
        done = subprocess.run(
            [*command, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=_FORMAT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise BrokerStartError(
            f"Apache Kafka did not format {folders.data} in {_FORMAT_SECONDS} s"
        ) from error
    if done.returncode:
        raise BrokerStartError(
            f"Apache Kafka could not format {folders.data}:\n{done.stdout}{done.stderr}"
            f"{last_lines(folders.log / 'server.log')}"
        )


@contextmanager
def _process(kafka: Installation, folders: _Folders, heap_mb: int, lock: int) -> Iterator[GuardedProcess]:
    heap = (f"-Xmx{heap_mb}m", f"-Xms{min(heap_mb, 256)}m")
    with class_archive(kafka.archive) as sharing:
        options = (*_FLAGS, *heap, *sharing.options)
        with GuardedProcess(
            _java(kafka, folders, *options, "kafka.Kafka", str(folders.properties)),
            output=folders.log / "console.log",
            pid_file=folders.root / "pid",
            grace=_GRACE_SECONDS,
            keep=(lock,),
        ) as process:
            yield process
        sharing.complete = process.poll() == _TERMINATED


def _java(kafka: Installation, folders: _Folders, *rest: str) -> list[str]:
    class_path = ":".join(str(jar) for jar in kafka.jars)
    logging = (f"-Dlog4j2.configurationFile={_LOGGING}", f"-Dkafka.log.dir={folders.log}")
    return [str(kafka.java.program), *logging, "-cp", class_path, *rest]
