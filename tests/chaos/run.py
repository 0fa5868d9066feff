"""Rounds of faults on a cluster of three brokers: ``python -m tests.chaos.run --rounds 100 --seed 7``.

In each round events come, something goes wrong, everything is there again, no more events come, and then the
checker accounts for every record. The table is printed at the end; the exit code is 1 where anything was
lost, doubled or wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.checker import Checker
from tests.chaos.cluster import running_cluster
from tests.chaos.counts import COUNTED
from tests.chaos.faults import FAULTS, NOTHING, drawn
from tests.chaos.load import Load
from tests.chaos.night import Night, Unavailable
from tests.chaos.product import running_product
from tests.chaos.reading import Reading
from tests.chaos.rooms import house
from tests.chaos.shapes import SHAPES
from tests.chaos.table import Round, Table
from tests.support.cluster import NODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.cluster import Cluster
    from tests.chaos.rooms import House

_TO_RECOVER = {3, 4, 5, -signal.SIGKILL}
"""A broker that is away, an unknown result, a store that cannot be written; and what was done to it."""
_IN_ORDER = {0, -signal.SIGTERM, *_TO_RECOVER}
"""How one may end that was told to: before it listened to that, or when Kafka was away, too."""
_PATIENCE_S = 300.0
_OUTCOMES = 25


@dataclass(frozen=True)
class Plan:
    """What is played; ``only``: faults with one of these in their name; ``faults``: these, in this order."""

    folder: Path
    cache: Path
    seed: str
    rounds: int = 100
    shapes: Sequence[str] = tuple(SHAPES)
    minutes: float = 240.0
    rate: int = 60
    only: Sequence[str] = ()
    faults: Sequence[str] = ()
    json: Path | None = None
    loopback: bool = False


class Rounds:
    """Plays and checks; ``table`` grows."""

    def __init__(self, shape: str, night: Night, checker: Checker, table: Table) -> None:
        self._shape = shape
        self._night = night
        self._checker = checker
        self._table = table

    def play(self, number: int, fault: str) -> Round:
        """One round. Raises TimeoutError where the system does not come to rest."""
        night, began = self._night, time.monotonic()
        logs = {part.name: part.size() for part in night.parts}
        now, before = Round(number, self._shape, fault), replace(self._checker.counts)
        night.load.go()
        night.wait(0.5, 2)
        if number % 3 == 0:
            night.publish()
        self.tell_outcomes()
        try:
            now.did = FAULTS[fault].play(night)
        except Unavailable as why:
            self._table.left_out[fault] = str(why)
            now.fault = NOTHING
        night.wait(0.5, 2)
        settling = time.monotonic()
        try:
            self._settle(now)
        finally:
            now.recovered = time.monotonic() - settling
            words, now.counts = now.counts.findings, self._checker.counts.taken(before)
            now.counts.findings += words
            now.seconds = time.monotonic() - began
            self._look_back(now, logs)
            self._table.compared[self._shape] = self._checker.features.compared
            self._table.rounds.append(now)
        return now

    def tell_outcomes(self) -> None:
        """Of some events that were logged in the last round."""
        known = list(self._checker.newest)
        chosen = self._night.random.sample(known, min(_OUTCOMES, len(known)))
        for event_id, fraud in self._night.load.tell(chosen).items():
            self._checker.outcomes.tell(event_id, fraud=fraud)

    def _settle(self, now: Round) -> None:
        night, checker = self._night, self._checker
        night.whole()
        night.load.rest()
        try:
            checker.read(night.load.acknowledged, night.look_after, _PATIENCE_S)
            state, copy = night.product.state, night.folder / "copy"
            checker.compare_store(state, copy, self._keeper, night.look_after, _PATIENCE_S)
        except TimeoutError:
            now.counts.findings.append(checker.unsettled())
            checker.close()
            raise

    def _keeper(self) -> int | None:
        keeper = self._night.keeper
        return keeper.pid if keeper.runs else None

    def _look_back(self, now: Round, logs: dict[str, int]) -> None:
        for part in self._night.parts:
            now.ended |= {f"{part.name} {code}": count for code, count in part.ended.items()}
            if part.name in self._night.product.parts:
                now.told_to_end |= {f"{part.name} {code}": count for code, count in part.stopped.items()}
                now.counts.findings += [
                    *(f"{part.name} ended with {code}" for code in part.ended if code not in _TO_RECOVER),
                    *(
                        f"{part.name} was told to end, and ended with {code}"
                        for code in part.stopped
                        if code not in _IN_ORDER
                    ),
                ]
                now.tracebacks += part.said(logs[part.name]).count(b"Traceback (most recent call last)")
            part.ended.clear()
            part.stopped.clear()
        now.counts.findings += self._night.load.problems
        self._night.load.problems.clear()


def play(plan: Plan) -> Table:
    """So many rounds, or as many as fit into the minutes; the shapes share them, one after the other."""
    chance = random.Random(plan.seed)
    table = Table(plan.seed)
    began = time.monotonic()
    members = [member for shape in plan.shapes for member in SHAPES[shape].members]
    names = [*(f"node{number}" for number in NODES), *dict.fromkeys(members)]
    with ExitStack() as stack:
        rooms = stack.enter_context(house(names, cables=not plan.loopback))
        cluster = stack.enter_context(running_cluster(plan.folder, plan.cache, rooms))
        for at, shape in enumerate(plan.shapes, 1):
            part = at / len(plan.shapes)
            until = round(plan.rounds * part), began + 60 * plan.minutes * part
            try:
                _play(plan, shape, until, (cluster, rooms), (chance, table))
            except TimeoutError as error:  # it does not come to rest: nothing can be said of further rounds
                table.broken_off[shape] = str(error) or "no answer in time"
                _write(table, plan.json)
    return table


def _play(
    plan: Plan,
    name: str,
    until: tuple[int, float],
    system: tuple[Cluster, House],
    drawing: tuple[random.Random, Table],
) -> None:
    """Rounds of one shape, until there are so many in all, or until a time."""
    (cluster, rooms), (chance, table), shape = system, drawing, SHAPES[name]
    with ExitStack() as stack:
        own = plan.folder / name
        own.mkdir()
        product = stack.enter_context(running_product(own, name, shape, cluster.bootstrap, rooms))
        load = stack.enter_context(closing(Load(cluster.bootstrap, product.pipeline, plan.seed, plan.rate)))
        read = shape.topics(product.pipeline)
        reading = Reading(cluster.bootstrap, read, product.pipeline.topics.partitions)
        checker = Checker(reading, shape.declared)
        rounds: Rounds

        def tell() -> None:
            rounds.tell_outcomes()

        night = Night(cluster, product, load, chance, rooms.cables, own, tell)
        rounds = Rounds(name, night, checker, table)
        first = len(table.rounds)
        try:
            for number, fault in enumerate(plan.faults or drawn(chance, shape, plan.only), first):
                if number > until[0] or time.monotonic() > until[1]:
                    break
                _say(rounds.play(number, fault))
                _write(table, plan.json)
        finally:
            _write(table, plan.json)


def _write(table: Table, path: Path | None) -> None:
    if path is not None:
        table.write(path)


def _say(now: Round) -> None:
    counts = ", ".join(f"{getattr(now.counts, name)} {name}" for name in COUNTED)
    times = f"{now.seconds:.0f} s, recovered after {now.recovered:.1f} s"
    ended = ", ".join(now.ended)
    head = f"{now.number:4} {now.shape}, {now.fault}: {now.did}; {counts}; {times} {ended}"
    print("\n     ".join([head, *now.counts.findings]), flush=True)  # noqa: T201


def main() -> int:
    """Play, print the table, and say by the exit code whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--shape", choices=[*SHAPES, "both"], default="both")
    parser.add_argument("--minutes", type=float, default=Plan.minutes)
    parser.add_argument("--seed", default="")
    parser.add_argument("--rate", type=int, default=Plan.rate, help="events a second")
    parser.add_argument("--only", action="append", default=[], help="faults whose name has this in it")
    parser.add_argument("--json", type=Path, default=Path(".sluicegate/chaos.json"))
    parser.add_argument(
        "--cache", type=Path, default=Path(os.environ.get("SLUICEGATE_CACHE") or ".sluicegate")
    )
    parser.add_argument("--folder", type=Path, default=None, help="where logs and data are kept")
    parser.add_argument("--loopback", action="store_true", help="no network namespaces, nothing can be cut")
    given = vars(parser.parse_args())
    shape = given.pop("shape")
    given["shapes"] = tuple(SHAPES) if shape == "both" else (shape,)
    given["seed"] = given["seed"] or str(secrets.randbelow(10**6))
    given["folder"] = given["folder"] or Path(tempfile.mkdtemp(prefix="sluicegate-chaos-"))
    plan = Plan(**given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was set up is taken down
    print(f"seed {plan.seed}; logs and data in {plan.folder}", flush=True)  # noqa: T201
    table = play(plan)
    print(table.text())  # noqa: T201
    return int(not table.sound)


if __name__ == "__main__":
    sys.exit(main())
