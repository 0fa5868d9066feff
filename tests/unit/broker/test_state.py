from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from streams.broker import StateInUseError
from streams.broker.class_archive import class_archive
from streams.broker.ports import choose_ports
from streams.broker.state_lock import exclusive

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from streams.broker.state_lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_held_lock_is_refused_naming_the_holder(tmp_path: Path) -> None:
    lock = tmp_path / "kafka" / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateInUseError, match=rf"kafka is in use by process {holder.pid}\."):
            exclusive(lock).__enter__()
    with exclusive(lock):
        assert lock.read_text() == f"{os.getpid()}\n"


def test_a_lock_can_be_taken_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), exclusive(tmp_path / "lock"):
        raise KeyError
    with exclusive(tmp_path / "lock", wait_seconds=0):
        pass


def test_ports_are_free_different_and_remembered(tmp_path: Path) -> None:
    ports = choose_ports(tmp_path / "ports.json")
    assert len(set(ports)) == 2
    assert choose_ports(tmp_path / "ports.json") == ports


def test_a_port_that_was_taken_meanwhile_is_not_chosen(tmp_path: Path) -> None:
    first, _second = choose_ports(tmp_path / "ports.json")
    with socket.create_server(("127.0.0.1", first)):
        assert first not in choose_ports(tmp_path / "ports.json")


@pytest.mark.parametrize("content", ["", "{", "[1", '{"a": 1}', '["x", "y"]', "[1, 99999999]"])
def test_a_spoilt_memory_of_ports_does_no_harm(content: str, tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text(content)
    assert len(choose_ports(tmp_path / "ports.json")) == 2


def test_the_class_archive_is_kept_only_after_a_clean_end(tmp_path: Path) -> None:
    archive = tmp_path / "classes.jsa"
    for complete in (False, True):
        with class_archive(archive) as sharing:
            assert not archive.exists()
            (option,) = sharing.options
            flag, _, unfinished = option.partition("=")
            assert flag == "-XX:ArchiveClassesAtExit"
            (tmp_path / unfinished).write_bytes(b"classes")
            sharing.complete = complete
    assert list(tmp_path.iterdir()) == [archive]
    with class_archive(archive) as sharing:
        assert sharing.options == [f"-XX:SharedArchiveFile={archive}"]
