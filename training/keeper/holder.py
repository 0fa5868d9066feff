"""Who holds the place of a pipeline's keeper, as the note in Kafka says, and whether that one can be gone."""

from __future__ import annotations

import os
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from feature_store.units import to_text
from streams.kafka import KafkaException, TopicPartition, passes

if TYPE_CHECKING:
    from streams.kafka import Consumer

IDENTITY = "keeper.id"
"""Beside the store: by it a keeper that was killed is known again, on whatever machine."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_LONGEST = 400
_PATIENCE_S = 60.0
_CALL_S = 10.0
_AGAIN_S = 0.25


class Holder(msgspec.Struct, frozen=True):
    """One keeper process; ``folder_id`` is its state folder's own, ``machine`` None where none is known.

    ``beat`` moves while it lives, ``left`` says that it has stopped in order.
    """

    folder_id: str
    host: str
    pid: int
    machine: str | None
    folder: str
    since: str
    beat: int = 0
    left: bool = False

    @classmethod
    def of(cls, state_dir: Path) -> Holder:
        """This process, on ``state_dir``, whose lock it holds."""
        folder = str(state_dir.resolve())
        return cls(
            folder_id(state_dir),
            socket.gethostname(),
            os.getpid(),
            _this_machine(),
            folder[-_LONGEST:],
            to_text(time.time_ns() // 1_000),
        )

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, state folder {self.folder}, since {self.since}"

    def is_gone(self, me: Holder) -> bool:
        """Whether it certainly runs no more: it said so, ``me`` has the lock of its folder, or it was of
        this machine and is not there.
        """
        return (
            self.left or self.folder_id == me.folder_id or (_same_machine(self, me) and not _runs(self.pid))
        )


def holder_in(note: str) -> Holder | None:
    """Who a note is of; None where no keeper wrote it."""
    try:
        return msgspec.json.decode(note, type=Holder)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def note_on(consumer: Consumer, topic: str) -> str:
    """The note in the consumer's group; empty where there is none. Raises KafkaException."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            found = consumer.committed([TopicPartition(topic, 0)], timeout=_CALL_S)[0]
        except KafkaException as error:
            problem = error.args[0]
        else:
            problem = found.error
            if problem is None:
                return found.metadata or ""
        heard = consumer.poll(0)  # a coordinator that is refused is told here alone
        problem = (heard.error() if heard is not None else None) or problem
        if not passes(problem) or time.monotonic() > deadline:
            raise KafkaException(problem)
        time.sleep(_AGAIN_S)  # also for a Kafka just started: it makes its coordinators when first asked


def folder_id(state_dir: Path) -> str:
    """The name of a state folder, drawn when first asked for; a copy of the folder draws its own.

    To be called by who holds the folder's lock.
    """
    path = state_dir / IDENTITY
    with suppress(OSError, ValueError):
        drawn, place = path.read_text(encoding="ascii").split()
        if int(place) == path.stat().st_ino:
            return drawn
    drawn = secrets.token_hex(8)
    with path.open("w", encoding="ascii") as file:
        file.write(f"{drawn} {os.fstat(file.fileno()).st_ino}\n")
    return drawn


def _this_machine() -> str | None:
    """What no other running system has, containers apart: they number their processes anew."""
    try:
        return f"{_BOOT.read_text(encoding='ascii').strip()}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return None


def _same_machine(one: Holder, other: Holder) -> bool:
    return one.machine is not None and one.machine == other.machine


def _runs(pid: int) -> bool:
    if pid <= 0:
        return True  # no process of anybody's
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
