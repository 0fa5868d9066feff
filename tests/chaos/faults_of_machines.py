"""What goes wrong below the processes: cables, disks, clocks, files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tests.chaos.long_way import long_way
from tests.chaos.night import BROKER, CONTROLLER, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.disks import Disk
    from tests.chaos.night import Night
    from tests.chaos.parts import Part
    from tests.chaos.rooms import Room

_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
_START_S = 60.0
_GRACE_S = 20.0
"""What `docker stop` and Kubernetes grant is 10 and 30."""
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
    name, room = _room(night, BROKER)
    room.slow()
    try:
        night.wait(3, 7)
    finally:
        room.quick()
    return f"{name}, 400 kbit/s both ways"


def far_away(who: str, *, lossy: bool = False) -> Callable[[Night], str]:
    """Every packet to and from it takes its time, or some never come."""

    def hold_up(night: Night) -> str:
        name, room = _room(night, who)
        seconds = 0.0 if lossy else night.random.uniform(0.05, 0.3)
        loss = night.random.uniform(0.02, 0.1) if lossy else 0.0
        with long_way(room, seconds, loss) as way:
            night.wait(4, 8)
        told = f"{loss:.0%} lost" if lossy else f"{seconds * 1_000:.0f} ms each way"
        return f"{name}, {told}: {way.carried} packets carried, {way.lost} lost"

    return hold_up


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
        part = night.part(whose)
        clock = night.folder / "clock"
        clock.write_text("+0")
        part.stop()
        part.start(environment=_faked(clock))
        night.wait(4, 6)
        for offset in [*night.random.sample(_JUMPS[:-1], 3), _JUMPS[-1]]:
            clock.write_text(offset)
            night.wait(1.5, 2.5)
        return f"{part.name}, {_back(part)}"

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
    if who in (BROKER, CONTROLLER):
        node = night.node(leading=who == CONTROLLER)
        return node.part.name, node.room
    name = night.part(who).name
    return name, night.product.rooms[name]


def _disk(night: Night, whose: str) -> tuple[str, Disk]:
    if whose == BROKER:
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


def _back(part: Part) -> str:
    """Run it without another clock again; how the one with it ended.

    librdkafka waits on the wall's clock: put back by half an hour, it waits for so long, and a supervisor's
    patience ends before that.
    """
    try:
        code = part.stop(_GRACE_S)
        said = f"ended in order with {code}"
    except TimeoutError:
        part.kill()
        said = f"killed, since it had not ended after {_GRACE_S:.0f} s"
    part.start()
    return said
