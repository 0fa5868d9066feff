"""A long way to a part: its cable leaves the bridge, and every packet is carried between them by hand.

So a packet may take its time, or never come, on machines whose kernel has no ``netem``. What is left to do of
checksums and segments passes through as the kernel wrote it (``virtio_net_hdr``).
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.chaos.rooms import Room

_TUN = Path("/dev/net/tun")
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_TAP_WITH_HEADER = 0x0002 | 0x1000 | 0x4000  # IFF_TAP, IFF_NO_PI, IFF_VNET_HDR
_CHECKSUMS_AND_SEGMENTS = 0x01 | 0x02 | 0x04  # TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
_ALL_PROTOCOLS = 0x0003
_OUTGOING = 4
_LARGEST = 1 << 17
_QUEUE = 10_000
_TURN_S = 0.02


class Way:
    """Both directions, from a thread; ``carried`` and ``lost`` count packets."""

    def __init__(self, tap: int, cable: socket.socket, seconds: float, loss: float) -> None:
        self.carried = self.lost = 0
        self._tap, self._cable = tap, cable
        self._seconds, self._loss = seconds, loss
        self._under_way: deque[tuple[float, Callable[[bytes], int], bytes]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="long way")
        self._thread.start()

    def close(self) -> None:
        """Nothing is carried any more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        places = [self._tap, self._cable.fileno()]
        while not self._stop.is_set():
            wait = self._under_way[0][0] - time.monotonic() if self._under_way else _TURN_S
            ready, _, _ = select.select(places, [], [], min(max(wait, 0.0), _TURN_S))
            if self._tap in ready:
                self._take(os.read(self._tap, _LARGEST), self._cable.send)
            if self._cable.fileno() in ready:
                packet, source = self._cable.recvfrom(_LARGEST)
                if source[2] != _OUTGOING:
                    self._take(packet, self._to_bridge)
            self._deliver()

    def _take(self, packet: bytes, way: Callable[[bytes], int]) -> None:
        if random.random() < self._loss or len(self._under_way) >= _QUEUE:
            self.lost += 1
        else:
            self._under_way.append((time.monotonic() + self._seconds, way, packet))

    def _deliver(self) -> None:
        while self._under_way and self._under_way[0][0] <= time.monotonic():
            _, way, packet = self._under_way.popleft()
            self.carried += 1
            with suppress(OSError):  # the part has just gone, or a queue is full: as on any cable
                way(packet)

    def _to_bridge(self, packet: bytes) -> int:
        return os.write(self._tap, packet)


@contextmanager
def long_way(room: Room, seconds: float, loss: float) -> Iterator[Way]:
    """To and from this room every packet takes so long, or is lost with this probability."""
    name = f"{room.cable}t"
    tap = os.open(_TUN, os.O_RDWR)
    try:
        fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TAP_WITH_HEADER))
        fcntl.ioctl(tap, _TUNSETOFFLOAD, _CHECKSUMS_AND_SEGMENTS)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)) as cable:
            cable.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
            cable.bind((room.cable, _ALL_PROTOCOLS))
            _link(name, "up", "master", room.bridge)
            way = Way(tap, cable, seconds, loss)
            room.cut()
            try:
                yield way
            finally:
                room.mend()
                way.close()
    finally:
        os.close(tap)


def _link(name: str, *told: str) -> None:
    subprocess.run(["ip", "link", "set", name, *told], check=True, capture_output=True)
