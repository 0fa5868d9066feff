"""Where parts run: each in a network namespace of its own where the machine allows it, so that its cable can
be pulled; else all of them beside one another on loopback, and nothing can be cut.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PROGRAMS = ("ip", "tc", "nsenter", "setpriv")
_SLOW = ("rate", "400kbit", "burst", "16kbit", "latency", "3000ms")
"""Enough for nobody: what is sent waits in a queue, and beyond three seconds it is dropped."""


@dataclass(frozen=True)
class Room:
    """``address`` is where its processes listen; ``name`` is empty on loopback."""

    address: str
    name: str = ""
    cable: str = ""
    bridge: str = ""

    def command(self, command: Sequence[str]) -> list[str]:
        """What runs ``command`` here; it ends with the thread that started it."""
        guarded = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        if not self.name:
            return [*guarded, *command]
        return ["nsenter", f"--net=/run/netns/{self.name}", *guarded, *command]

    def cut(self) -> None:
        """Nothing comes in and nothing goes out; connections are not told."""
        _run("ip", "link", "set", self.cable, "nomaster")

    def mend(self) -> None:
        """The cable is in again."""
        _run("ip", "link", "set", self.cable, "master", self.bridge)

    def slow(self) -> None:
        """The cable carries little, in both directions."""
        _run("tc", "qdisc", "add", "dev", self.cable, "root", "tbf", *_SLOW)
        _run("ip", "netns", "exec", self.name, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", *_SLOW)

    def quick(self) -> None:
        """As before."""
        _run("tc", "qdisc", "del", "dev", self.cable, "root")
        _run("ip", "netns", "exec", self.name, "tc", "qdisc", "del", "dev", "eth0", "root")


@dataclass(frozen=True)
class House:
    """All rooms; ``cables`` says whether they can be cut."""

    rooms: dict[str, Room]
    cables: bool


@contextmanager
def house(names: Sequence[str], *, cables: bool = True) -> Iterator[House]:
    """A room of each name; ``cables`` False: on loopback."""
    if not cables or not _allowed():
        yield House({name: Room("127.0.0.1") for name in names}, cables=False)
        return
    number = os.getpid() % 200 + 20
    bridge = f"sgb{number}"
    rooms: dict[str, Room] = {}
    try:
        _run("ip", "link", "add", bridge, "type", "bridge")
        _run("ip", "addr", "add", f"10.77.{number}.254/24", "dev", bridge)
        _run("ip", "link", "set", bridge, "up")
        for place, name in enumerate(names, 1):
            rooms[name] = Room(
                f"10.77.{number}.{place}", f"sg{number}-{name}", f"sgv{number}-{place}", bridge
            )
            _furnish(rooms[name])
        yield House(rooms, cables=True)
    finally:
        for room in rooms.values():
            _run("ip", "netns", "del", room.name, check=False)
        _run("ip", "link", "del", bridge, check=False)


def _furnish(room: Room) -> None:
    inside = ("ip", "-n", room.name)
    _run("ip", "netns", "add", room.name)
    _run("ip", "link", "add", room.cable, "type", "veth", "peer", "name", "eth0", "netns", room.name)
    _run("ip", "link", "set", room.cable, "master", room.bridge, "up")
    _run(*inside, "addr", "add", f"{room.address}/24", "dev", "eth0")
    _run(*inside, "link", "set", "lo", "up")
    _run(*inside, "link", "set", "eth0", "up")


def _allowed() -> bool:
    if os.geteuid() != 0 or not all(map(shutil.which, _PROGRAMS)):
        return False
    name = f"sgtry{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        return False
    _run("ip", "netns", "del", name)
    return True


def _run(*command: str, check: bool = True) -> None:
    subprocess.run(command, check=check, capture_output=True)
