"""A real Apache Kafka, started for you and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from streams.broker import BrokerKind, BrokerStartError, StateInUseError, running_broker
from streams.kafka import TopicSpec, ensure_topics, plain_producer, read_to_end

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from streams.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance, pytest.mark.usefixtures("apache_kafka")]

# A program that runs a broker, tells its process ids and waits for its end.
PROGRAM = """
import signal, sys, time
from pathlib import Path
from streams.broker import running_broker
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
with running_broker("kafka", state_dir=Path(sys.argv[1]), cache_dir=Path(sys.argv[2])) as broker:
    print(broker.process.pid, broker.process.guard_pid, flush=True)
    while True:
        time.sleep(0.05)
"""


@pytest.fixture
def start(tmp_path: Path, jar_cache: Path) -> Callable[[], AbstractContextManager[Broker]]:
    """Return what runs a Kafka of this test's own, always on the same data."""
    return lambda: running_broker("kafka", state_dir=tmp_path, cache_dir=jar_cache)


def _write(broker: Broker, topic: str, values: list[bytes]) -> None:
    ensure_topics(broker.bootstrap, [TopicSpec(topic, partitions=1)])
    producer = plain_producer(broker.bootstrap)
    for value in values:
        producer.produce(topic, value, key=b"key")
    assert producer.flush(30) == 0


def _read(broker: Broker, topic: str) -> list[bytes | None]:
    return [message.value() for message in read_to_end(broker.bootstrap, topic)]


def _pid(broker: Broker) -> int:
    assert broker.process is not None
    pid = broker.process.pid
    assert pid is not None
    return pid


def test_a_restart_keeps_topics_records_and_address(
    start: Callable[[], AbstractContextManager[Broker]], wait_until_gone: Callable[[int], None]
) -> None:
    with start() as first:
        assert first.kind is BrokerKind.KAFKA
        assert first.version.startswith("4.")
        assert first.notice is None
        _write(first, "kept", [b"one", b"two"])
        pid = _pid(first)
    wait_until_gone(pid)
    with start() as second:
        assert second.bootstrap == first.bootstrap
        assert _pid(second) != pid
        _write(second, "kept", [b"three"])
        assert _read(second, "kept") == [b"one", b"two", b"three"]


def test_acknowledged_records_outlive_a_kill_of_java(
    start: Callable[[], AbstractContextManager[Broker]],
) -> None:
    with start() as first:
        _write(first, "kept", [b"one", b"two"])
        os.kill(_pid(first), signal.SIGKILL)
        assert first.process is not None
        assert first.process.wait(30) == 128 + signal.SIGKILL
    with start() as second:
        assert _read(second, "kept") == [b"one", b"two"]


def test_a_second_start_on_the_same_data_is_refused(
    start: Callable[[], AbstractContextManager[Broker]],
) -> None:
    with start() as broker:
        with pytest.raises(StateInUseError, match=rf"in use by process {os.getpid()}\."), start():
            pytest.fail("two brokers on one data folder")
        _write(broker, "alive", [b"one"])
        assert _read(broker, "alive") == [b"one"]


def test_two_brokers_on_different_data_do_not_meet(
    start: Callable[[], AbstractContextManager[Broker]], apache_kafka: Broker, unique: str
) -> None:
    with start() as broker:
        assert broker.bootstrap != apache_kafka.bootstrap
        _write(broker, unique, [b"here"])
        _write(apache_kafka, unique, [b"there"])
        assert _read(broker, unique) == [b"here"]


def test_a_broker_that_cannot_start_tells_its_last_words(
    start: Callable[[], AbstractContextManager[Broker]], tmp_path: Path
) -> None:
    with start():
        pass
    meta = tmp_path / "kafka" / "data" / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=9"))
    with pytest.raises(BrokerStartError, match=r"(?s)ended with status 1.*Stored node id 9"), start():
        pytest.fail("the data belongs to another node")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_java_outlives_its_program(
    number: signal.Signals,
    tmp_path: Path,
    jar_cache: Path,
    start: Callable[[], AbstractContextManager[Broker]],
    wait_until_gone: Callable[[int], None],
) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(jar_cache)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with program:
        assert program.stdout is not None
        java, guard = map(int, program.stdout.readline().split())
        os.killpg(program.pid, number)  # SIGINT to the group is what Ctrl-C does
        wait_until_gone(java)
        wait_until_gone(guard)
    with start() as broker:  # at once, on what was left behind
        _write(broker, "after", [b"one"])
        assert _read(broker, "after") == [b"one"]
