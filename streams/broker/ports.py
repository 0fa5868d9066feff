"""TCP ports for a broker on this machine: the ones it had, if they are free, else free ones."""

from __future__ import annotations

import json
import secrets
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below what systems hand out for outgoing connections: a client that keeps trying to reach a
# stopped broker cannot end up connected to itself, on the broker's port.
_RANGE = range(20_000, 32_000)


def choose_ports(remembered: Path, count: int = 2) -> list[int]:
    """Return free ports and remember them: clients find a restarted broker where it was."""
    ports = _recall(remembered)
    if len(ports) != count or not all(_is_free(port) for port in ports):
        ports = _free_ports(count)
        remembered.write_text(json.dumps(ports), encoding="ascii")
    return ports


def _recall(remembered: Path) -> list[int]:
    try:
        found = json.loads(remembered.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return []
    valid = isinstance(found, list) and all(isinstance(port, int) for port in found)
    return found if valid else []


def _free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        port = secrets.choice(_RANGE)
        if _is_free(port):
            ports.add(port)
    return sorted(ports)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the broker does
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError):
            return False
    return True
