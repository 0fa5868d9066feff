"""What goes wrong below the processes: cables, disks, clocks, files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tests.chaos.night import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.disks import Disk
    from tests.chaos.night import Night
    from tests.chaos.parts import Part
    from tests.chaos.rooms import Room

_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
_START_S = 60.0
_JUMPS = ("+30m", "-30m", "+5s", "-5s", "+0")


def cut_off(who: str) -> Callable[[Night], str]:
    """Its cable is pulled, and put in again."""

    def cut(night: Night) -> str:
        name, room = _room(night, who)
        room.cut()
        try:
            night.wait(1, 9)
        finally:
            room.mend()
        return name

    return cut


def slow_link(night: Night) -> str:
    name, room = _room(night, "broker")
    room.slow()
    try:
        night.wait(3, 7)
    finally:
        room.quick()
    return f"{name}, 400 kbit/s both ways"


def disk_full(whose: str) -> Callable[[Night], str]:
    """Not a byte is free for a while."""

    def fill(night: Night) -> str:
        name, disk = _disk(night, whose)
        taken = disk.fill()
        try:
            night.wait(3, 7)
        finally:
            disk.clear()
        return f"{name}, {taken // 2**20} MiB taken"

    return fill


def clock_jumps(whose: str) -> Callable[[Night], str]:
    """Half an hour forward and back, under libfaketime; afterwards the part runs without it again."""

    def jump(night: Night) -> str:
        if not _FAKETIME.exists():
            raise Unavailable("libfaketime is not installed")
        part = night.keeper if whose == "keeper" else night.scorer()
        clock = night.folder / "clock"
        clock.write_text("+0")
        part.stop()
        part.start(environment=_faked(clock))
        night.wait(4, 6)
        for offset in [*night.random.sample(_JUMPS[:-1], 3), _JUMPS[-1]]:
            clock.write_text(offset)
            night.wait(1.5, 2.5)
        _back(part)
        return part.name

    return jump


def locked_store(night: Night) -> str:
    """While the keeper is away somebody else opens its file; the keeper waits for its turn."""
    night.keeper.kill()
    with duckdb.connect(str(night.product.state / "keeper.duckdb")):
        night.keeper.start()
        night.wait(4, 8)
    return "for some seconds"


def lost_store(night: Night) -> str:
    """Bytes of the keeper's file are overwritten; the keeper refuses it, and one is built from the topics."""
    night.keeper.kill()
    store = night.product.state / "keeper.duckdb"
    with store.open("r+b") as file:
        for place in range(0, store.stat().st_size, 4_096):
            file.seek(place)
            file.write(b"\x5a" * 64)
    night.keeper.start()
    refused = night.ended(night.keeper, _START_S)
    night.keeper.kill()
    for path in night.product.state.glob("keeper.duckdb*"):
        path.unlink()
    night.keeper.start()
    return "refused, then built anew from the topics" if refused else "not noticed at the start; built anew"


def _room(night: Night, who: str) -> tuple[str, Room]:
    if not night.cables:
        raise Unavailable("needs network namespaces: root, ip, tc, nsenter")
    if who in ("broker", "controller"):
        node = night.node(leading=who == "controller")
        return node.part.name, node.room
    name = "keeper" if who == "keeper" else night.scorer().name
    return name, night.product.rooms[name]


def _disk(night: Night, whose: str) -> tuple[str, Disk]:
    if whose == "broker":
        node = night.node()
        name, disk = node.part.name, node.disk
    else:
        name, disk = whose, night.product.disks[whose]
    if not disk.small:
        raise Unavailable("needs a file system of its own: mount as root")
    return name, disk


def _faked(clock: Path) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(_FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def _back(part: Part) -> None:
    part.stop()
    part.start()
