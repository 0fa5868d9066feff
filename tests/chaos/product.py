"""The product under test: scorers, keeper and sink workers, as processes in rooms of their own."""

from __future__ import annotations

import re
import secrets
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from streams.kafka import ensure_topics, pipeline_topics
from streams.messages.model import ArtifactInfo
from tests.chaos.disks import disk
from tests.chaos.forked import Beginning, Forked
from tests.chaos.parts import Part
from tests.chaos.shapes import KEEPER
from tests.support.models import small_model
from training.publish import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from tests.chaos.disks import Disk
    from tests.chaos.rooms import House, Room
    from tests.chaos.shapes import Shape

_NOW = "2026-01-05T00:00:00Z"
_DISK_MB = 1_500
_PROGRAM = (sys.executable, "-m", "console.cli")


@dataclass(frozen=True)
class Product:
    """Its parts by name, where each runs, and the disks they write to."""

    bootstrap: str
    shape: Shape
    pipeline: Pipeline
    config: Path
    state: Path
    parts: dict[str, Part]
    rooms: dict[str, Room]
    disks: dict[str, Disk]

    def publish_a_circle(self, keeper: Part) -> str:
        """A model whose trees lead nowhere, published in the keeper's place; its version."""
        version = f"circle{secrets.token_hex(3)}"
        manifest, artifact = small_model(self.pipeline, version)
        endless = re.sub(
            rb"(left|right)_child=([^\n]*)",
            lambda m: m[1] + b"_child=" + b" ".join(b"0" for _ in m[2].split()),
            artifact,
        )
        manifest = msgspec.structs.replace(manifest, artifact=ArtifactInfo.of(endless))
        keeper.kill()
        Publisher(self.bootstrap, self.pipeline, lambda: _NOW).publish(manifest, endless, why="a test")
        keeper.start()
        return version

    def ask(self, *arguments: str) -> Forked:
        """A command beside the keeper, under way."""
        log = self.config.parent / "asked.log"
        told = [*arguments, "--state-dir", str(self.state)]
        return Forked(Beginning(told, log, self.rooms[KEEPER].name))


@contextmanager
def running_product(folder: Path, name: str, shape: Shape, bootstrap: str, house: House) -> Iterator[Product]:
    """Topics made, two models published, all members started but the further one."""
    with disk(folder / "store", _DISK_MB) as store, disk(folder / "snapshots", _DISK_MB) as snapshots:
        config, pipeline = shape.pipeline(folder, f"chaos-{name}", serving=_serving(folder / "snapshots"))
        ensure_topics(bootstrap, pipeline_topics(pipeline))
        publisher = Publisher(bootstrap, pipeline, lambda: _NOW)
        for number in range(2):
            publisher.publish(*small_model(pipeline, f"m{number}", seed=number), why="to begin with")
        state = folder / "store" / "state"
        told = ("--broker", bootstrap, "--config", str(config), "--state-dir", str(state))
        parts = {}
        for member, own in shape.members.items():
            room, arguments = house.rooms[member], (*own, *told)
            command = room.command([*_PROGRAM, *arguments])
            parts[member] = Part(member, command, folder / f"{member}.log", arguments, room.name)
        rooms = {member: house.rooms[member] for member in parts}
        disks = {"store": store, "snapshots": snapshots}
        try:
            for member, part in parts.items():
                if member != shape.further:
                    part.start()
            yield Product(bootstrap, shape, pipeline, config, state, parts, rooms, disks)
        finally:
            for part in parts.values():
                part.end()


def _serving(snapshots: Path) -> dict[str, object]:
    return {
        "batch": {"max_events": 200},
        "session_timeout": "6s",
        "commit_patience": "10s",
        "snapshots": {"every": "2s", "keep": 2, "store": str(snapshots)},
    }
