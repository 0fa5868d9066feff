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

from streams.broker.class_archive import class_archive, reading_options
from streams.broker.errors import BrokerStartError
from streams.broker.health import live_brokers
from streams.broker.kafka_settings import write_properties
from streams.broker.ports import LOOPBACK, choose_ports
from streams.broker.process import GuardedProcess
from streams.broker.readiness import last_lines, wait_until_ready
from streams.broker.spec import Address, Broker, BrokerKind
from streams.broker.state_lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.broker.kafka_home import Installation
    from streams.broker.kafka_settings import Further

_LOGGING = Path(__file__).with_name("log4j2.xml")
_READY_SECONDS = 90.0
_FORMAT_SECONDS = 60
_GRACE_SECONDS = 20.0
_TERMINATED = 128 + signal.SIGTERM  # how Java ends after a clean stop
# The first compiler alone: it starts faster and, measured over the first 1.2 million events in
# transactions on two cores, the broker needs half the processor time.
_FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xlog:cds=off")


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
    kafka: Installation,
    state_dir: Path,
    *,
    heap_mb: int,
    progress: Callable[[str], None],
    further: Further | None = None,
) -> Iterator[Broker]:
    """Run Kafka with its data in `state_dir`/kafka until the block ends.

    The address of the broker is that of its plain listener; `further` may add others.
    Raises StateInUseError where another process does so, BrokerStartError where it does not start.
    """
    folders = _Folders((state_dir / "kafka").resolve())
    folders.log.mkdir(parents=True, exist_ok=True)
    with exclusive(folders.root / "lock") as lock:
        port, controller_port = choose_ports(folders.root / "ports.json")
        progress(f"starting Apache Kafka {kafka.version}…")
        write_properties(folders.properties, folders.data, port, controller_port, further)
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


def _format_once(kafka: Installation, folders: _Folders) -> None:
    if (folders.data / "meta.properties").is_file():
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    options = ("--cluster-id", f"s{cluster[1:]}", "--config", str(folders.properties))
    # --ignore-formatted: an earlier try may have been interrupted.
    tool = (*reading_options(kafka.archive), "kafka.tools.StorageTool", "format", *options)
    command = _java(kafka, folders, *tool, "--ignore-formatted")
    try:
        done = subprocess.run(
            command,
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
        options = (*heap, *sharing.options)
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
    return [str(kafka.java.program), *_FLAGS, *logging, "-cp", class_path, *rest]
