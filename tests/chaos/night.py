"""Everything that something can happen to, and what all faults need: chance, waiting, and a word on it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos.cluster import wait_until_whole
from tests.chaos.shapes import KEEPER

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.chaos.cluster import Cluster, Node
    from tests.chaos.forked import Forked
    from tests.chaos.load import Load
    from tests.chaos.parts import Part
    from tests.chaos.product import Product

BROKER, CONTROLLER = "broker", "controller"
_TURN_S = 0.1
_READY_S = 30.0


class Unavailable(Exception):  # noqa: N818  (not an error: the machine does not have it)
    """What this machine does not allow, in words."""


@dataclass
class Night:
    """The system under load; ``random`` chooses moments and victims."""

    cluster: Cluster
    product: Product
    load: Load
    random: random.Random
    cables: bool
    folder: Path
    tell_outcomes: Callable[[], None]
    """It becomes known of some events whether they were fraud."""
    asked: list[Forked] = field(default_factory=list)
    """Commands under way."""

    @property
    def parts(self) -> list[Part]:
        """Every process."""
        return [*self.product.parts.values(), *(node.part for node in self.cluster.nodes.values())]

    def look_after(self) -> None:
        """What ended by itself is started again, as a supervisor does."""
        for part in self.parts:
            part.revive()
        self.asked = [command for command in self.asked if command.poll() is None]

    def wait(self, least: float, most: float) -> None:
        """Some time passes."""
        until = time.monotonic() + self.random.uniform(least, most)
        while (left := until - time.monotonic()) > 0:
            self.look_after()
            time.sleep(min(left, _TURN_S))

    def ended(self, part: Part, seconds: float) -> bool:
        """Whether it ends by itself in so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if part.wait(_TURN_S) is not None:
                return True
        return False

    def ready(self, part: Part, since: int, word: bytes = b"keeper_ready") -> None:
        """Return when a part, whose log began at ``since``, has said so, or has ended."""
        until = time.monotonic() + _READY_S
        while part.runs and word not in part.said(since) and time.monotonic() < until:
            time.sleep(_TURN_S)

    def part(self, role: str) -> Part:
        """One that runs of those with a role."""
        members = [self.product.parts[name] for name in self.product.shape.roles[role]]
        return self.random.choice([part for part in members if part.runs] or members)

    @property
    def keeper(self) -> Part:
        """The one there is."""
        return self.product.parts[KEEPER]

    def node(self, *, leading: bool | None = None) -> Node:
        """One of the cluster's: the active controller, another, or any."""
        leader = self.cluster.leader()
        numbers = [n for n in self.cluster.nodes if leading is None or (n == leader) is leading]
        return self.cluster.nodes[self.random.choice(numbers)]

    def whole(self) -> None:
        """Return when every node of the cluster answers again."""
        wait_until_whole(self.cluster)

    def publish(self) -> None:
        """Somebody changes a rule, or another model is to act."""
        if self.random.random() < 0.5:
            self.ask("models", "promote", f"m{self.random.randrange(2)}")
        else:
            self.change_rule()

    def change_rule(self) -> None:
        """Somebody changes a rule."""
        when = f"amount >= {self.random.randint(1, 9_999)}"
        self.ask("policy", "rule", "chaos", when, "review", "--why", "a test")

    def ask(self, *arguments: str) -> None:
        """A command of the keeper, which may or may not be there."""
        self.asked.append(self.product.ask(*arguments))
