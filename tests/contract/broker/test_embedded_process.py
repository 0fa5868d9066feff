"""The embedded broker as a process: how it starts, what it says, what it survives, how it ends."""

from __future__ import annotations

import errno
import signal
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.contract.broker.toolkit import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.broker.toolkit import Kafka

COMMAND = (sys.executable, "-m", "streams.broker.embedded", "--host", "127.0.0.1", "--port", "0")

_CLOSED = {errno.ECONNRESET, errno.ENOTCONN, errno.EPIPE}


@contextmanager
def running() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a broker of our own; gives the process and the address that it printed."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            word, address = process.stdout.readline().split()
            assert word == "listening"
            yield process, address
        finally:
            process.kill()


def connected(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), PATIENCE)


class TestProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_says_what_it_does_not_promise_and_ends_when_told(self, number: int) -> None:
        with running() as (process, address), connected(address):
            process.send_signal(number)
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0
            notice = said.splitlines()
            assert len(notice) == 1
            for words in ("in memory", "one node", "not for production", "compacted"):
                assert words in notice[0]

    def test_a_taken_port_is_named(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            command = [*COMMAND[:-1], port]
            failed = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert failed.returncode == 2
        assert f"cannot listen on 127.0.0.1:{port}" in failed.stderr

    @pytest.mark.parametrize(
        "garbage",
        [
            b"GET / HTTP/1.1\r\n\r\n",
            struct.pack(">i", 0),
            struct.pack(">i", -5),
            struct.pack(">i", 2**31 - 1),
            struct.pack(">i", 6) + b"\0\x12\0\0\0\0",
            struct.pack(">ihhih", 10, 999, 0, 1, -1),
            struct.pack(">ihhih", 10, 3, 77, 1, -1),
            struct.pack(">ihhihi", 14, 3, 1, 1, -1, 2**31 - 1),
            struct.pack(">ihhih", 12, 3, 1, 1, 2) + b"\xff\xfe",
        ],
    )
    def test_garbage_closes_its_connection_only(self, kafka: Kafka, bootstrap: str, garbage: bytes) -> None:
        topic = kafka.topic()
        with connected(bootstrap) as connection:
            connection.sendall(garbage)
            try:
                connection.shutdown(socket.SHUT_WR)
                assert connection.recv(1) == b""
            except OSError as error:
                if error.errno not in _CLOSED:
                    raise
        kafka.send(topic, [b"still here"])
        assert kafka.values(topic) == [b"still here"]
