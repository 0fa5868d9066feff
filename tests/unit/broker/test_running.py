from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from streams.broker import (
    BrokerKind,
    BrokerStartError,
    KafkaUnavailableError,
    embedded_server,
    running_broker,
)
from streams.broker.embedded_server import NOTICE, running_embedded

if TYPE_CHECKING:
    from pathlib import Path

# Answers every request the way ApiVersions 0 is answered.
FAKE = """
import socket, struct
listener = socket.create_server(("127.0.0.1", 0))
print("some line before", flush=True)
print("listening 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(struct.pack(">iihi", 10, 7, 0, 61))
"""


def _silent(_step: str) -> None:
    """Tell nobody."""


def test_the_embedded_broker_is_started_found_and_stopped(tmp_path: Path) -> None:
    steps: list[str] = []
    command = [sys.executable, "-c", FAKE]
    with running_embedded(tmp_path, progress=steps.append, command=command) as broker:
        assert broker.kind is BrokerKind.EMBEDDED
        assert broker.notice == NOTICE
        assert broker.process is not None
        assert broker.process.poll() is None
    assert broker.process.poll() is not None
    assert steps == [f"embedded broker at {broker.bootstrap}: {NOTICE}"]


def test_a_broker_that_ends_at_start_is_quoted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no luck today')"]
    with (
        pytest.raises(BrokerStartError, match=r"(?s)ended with status 1.*no luck today"),
        running_embedded(tmp_path, progress=_silent, command=command),
    ):
        pytest.fail("it does not run")


@pytest.fixture
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("no_java")
def test_kafka_is_an_error_without_java(tmp_path: Path) -> None:
    with (
        pytest.raises(KafkaUnavailableError, match="Install Java"),
        running_broker("kafka", state_dir=tmp_path, cache_dir=tmp_path),
    ):
        pytest.fail("there is no Java")


@pytest.mark.usefixtures("no_java")
def test_auto_falls_back_on_the_embedded_broker_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_server, "COMMAND", [sys.executable, "-c", FAKE])
    with running_broker("auto", state_dir=tmp_path, cache_dir=tmp_path) as broker:
        assert broker.kind is BrokerKind.EMBEDDED
        assert broker.notice is not None
        assert "memory" in broker.notice
        assert "Java was not found on PATH" in broker.notice
