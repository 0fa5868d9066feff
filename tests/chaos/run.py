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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.checker import Checker
from tests.chaos.cluster import running_cluster
from tests.chaos.faults import FAULTS, NOTHING
from tests.chaos.load import Load
from tests.chaos.night import Night, Unavailable
from tests.chaos.product import FURTHER, KEEPER, SCORERS, running_product
from tests.chaos.reading import TOPICS, Reading
from tests.chaos.rooms import house
from tests.chaos.table import Round, Table
from tests.support.cluster import NODES

if TYPE_CHECKING:
    from collections.abc import Iterator

_TO_RECOVER = {3, 4, 5, -signal.SIGKILL}
"""A broker that is away, an unknown result, a store that cannot be written; and what was done to it."""
_PATIENCE_S = 150.0
_OUTCOMES = 25
_COUNTS = ("events", "decided", "dead", "duplicates", "lost", "doubled", "wrong")


class Rounds:
    """Plays and checks; ``table`` grows."""

    def __init__(self, night: Night, checker: Checker, table: Table) -> None:
        self._night = night
        self._checker = checker
        self.table = table

    def play(self, number: int, fault: str) -> None:
        """One round. Raises TimeoutError where the system does not come to rest."""
        night, began = self._night, time.monotonic()
        logs = {part.name: part.size() for part in night.parts}
        now, before = Round(number, fault), replace(self._checker.counts)
        found = len(before.findings)
        night.load.go()
        night.wait(0.5, 2)
        if number % 3 == 0:
            night.publish()
        self.tell_outcomes()
        try:
            now.did = FAULTS[fault](night)
        except Unavailable as why:
            self.table.left_out[fault] = str(why)
            now.fault = NOTHING
        night.wait(0.5, 2)
        settling = time.monotonic()
        try:
            self._settle(now)
        finally:
            now.recovered = time.monotonic() - settling
            for name in _COUNTS:
                setattr(now, name, getattr(self._checker.counts, name) - getattr(before, name))
            now.findings += self._checker.counts.findings[found:]
            now.seconds = time.monotonic() - began
            self._look_back(now, logs)
            self.table.compared = self._checker.features.compared
            self.table.rounds.append(now)

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
            now.findings.append(checker.unsettled())
            checker.close()
            raise

    def _keeper(self) -> int | None:
        keeper = self._night.keeper
        return keeper.pid if keeper.runs else None

    def _look_back(self, now: Round, logs: dict[str, int]) -> None:
        for part in self._night.parts:
            for code, count in part.ended.items():
                now.ended[f"{part.name} {code}"] = count
                if part.name in self._night.product.parts and code not in _TO_RECOVER:
                    now.findings.append(f"{part.name} ended with {code}")
            part.ended.clear()
            if part.name in self._night.product.parts:
                now.tracebacks += part.said(logs[part.name]).count(b"Traceback (most recent call last)")
        now.findings += self._night.load.problems
        self._night.load.problems.clear()


def play(folder: Path, arguments: argparse.Namespace) -> Table:
    """So many rounds, or as many as fit into the minutes."""
    chance = random.Random(arguments.seed)
    table = Table(arguments.seed)
    until = time.monotonic() + 60 * arguments.minutes
    with ExitStack() as stack:
        names = [*(f"node{number}" for number in NODES), *SCORERS, FURTHER, KEEPER]
        rooms = stack.enter_context(house(names))
        cluster = stack.enter_context(running_cluster(folder, arguments.cache, rooms))
        product = stack.enter_context(running_product(folder, cluster.bootstrap, rooms))
        load = stack.enter_context(
            closing(Load(cluster.bootstrap, product.pipeline, arguments.seed, arguments.rate))
        )
        topics = product.pipeline.topics
        read = {what: getattr(topics, what) for what in TOPICS}
        checker = Checker(Reading(cluster.bootstrap, read, topics.partitions))
        rounds: Rounds

        def tell() -> None:
            rounds.tell_outcomes()

        night = Night(cluster, product, load, chance, rooms.cables, folder, tell)
        rounds = Rounds(night, checker, table)
        try:
            for number, fault in enumerate(_drawn(chance, arguments.only)):
                if number > arguments.rounds or time.monotonic() > until:
                    break
                rounds.play(number, fault)
                _say(table.rounds[-1])
                table.write(arguments.json)
        finally:
            table.write(arguments.json)
    return table


def _drawn(chance: random.Random, only: list[str]) -> Iterator[str]:
    """Nothing, so that all is up; then all faults in a random order, again and again."""
    yield NOTHING
    names = [name for name in FAULTS if name != NOTHING and any(each in name for each in only or [""])]
    while True:
        yield from chance.sample(names, len(names))


def _say(now: Round) -> None:
    counts = ", ".join(f"{getattr(now, name)} {name}" for name in _COUNTS)
    times = f"{now.seconds:.0f} s, recovered after {now.recovered:.1f} s"
    ended = ", ".join(now.ended)
    lines = [f"{now.number:4} {now.fault}: {now.did}; {counts}; {times} {ended}", *now.findings]
    print("\n     ".join(lines), flush=True)  # noqa: T201


def main() -> int:
    """Play, print the table, and say by the exit code whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=240.0)
    parser.add_argument("--seed", default="")
    parser.add_argument("--rate", type=int, default=60, help="events a second")
    parser.add_argument("--only", action="append", default=[], help="faults whose name has this in it")
    parser.add_argument("--json", type=Path, default=Path(".sluicegate/chaos.json"))
    parser.add_argument(
        "--cache", type=Path, default=Path(os.environ.get("SLUICEGATE_CACHE") or ".sluicegate")
    )
    parser.add_argument("--folder", type=Path, default=None, help="where logs and data are kept")
    arguments = parser.parse_args()
    arguments.seed = arguments.seed or str(secrets.randbelow(10**6))
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="sluicegate-chaos-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was set up is taken down
    print(f"seed {arguments.seed}; logs and data in {folder}", flush=True)  # noqa: T201
    table = play(folder, arguments)
    print(table.text())  # noqa: T201
    return int(any(each.lost or each.doubled or each.wrong or each.findings for each in table.rounds))


if __name__ == "__main__":
    sys.exit(main())
