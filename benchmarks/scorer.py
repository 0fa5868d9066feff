"""Decisions per CPU-second from a prefilled topic: the scorer, a loop that does nothing, and four peers."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.contenders import OURS, Contender, everyone, noop
from benchmarks.contest import ContestError, Result, Run, between, race
from benchmarks.peers.environments import PEERS, NotInstalledError
from benchmarks.verify import check, check_log
from feature_store.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.field import Field
    from benchmarks.machine import Cores
    from benchmarks.verify import Scores

EVENTS = 600_000
_SHORT = 6
"""So much shorter is the short run."""


@dataclass
class Report:
    """What was found; who gives no number, and why, is in ``void``."""

    strongest: dict[str, Result] = field(default_factory=dict)
    at_least_once: dict[str, Result] = field(default_factory=dict)
    ceiling: Result | None = None
    void: dict[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> Result | None:
        """The scorer, exactly once."""
        return self.strongest.get(OURS)

    @property
    def peers(self) -> dict[str, float]:
        """Decisions per CPU-second of every peer, at its strongest guarantee."""
        return {name: found.per_cpu_second for name, found in self.strongest.items() if name != OURS}


def measure(
    ground: Field,
    cores: Cores,
    events: int = EVENTS,
    peers: tuple[str, ...] = tuple(PEERS),
    *,
    quick: bool = False,
) -> Report:
    """All of them, one after the other, on the same broker; ``quick``: fewer runs of it."""
    contest = _Contest(ground, cores, events, first_starts=0 if quick else 1)
    strongest, at_least_once = everyone(peers)
    report = contest.report
    for contender in strongest:
        contest.run(contender, report.strongest)
    ceiling: dict[str, Result] = {}
    contest.run(noop(), ceiling)
    report.ceiling = next(iter(ceiling.values()), None)
    for contender in at_least_once if not quick else []:
        contest.run(contender, report.at_least_once)
    return report


class _Contest:
    def __init__(self, ground: Field, cores: Cores, events: int, first_starts: int) -> None:
        self._ground = ground
        self._cores = cores
        self._events = events
        self._first_starts = first_starts
        self._expected: Scores = np.empty(0)
        self._runs = 0
        self.report = Report()

    def run(self, contender: Contender, results: dict[str, Result]) -> None:
        """Its result into ``results``, or why there is none into the report."""
        title = f"{contender.name}, {contender.guarantee}"
        events = self._events // contender.share
        _tell(f"{title}: {events:,} events")
        try:
            for _ in range(self._first_starts):  # what is compiled or cached at a first start is then
                self._race(contender, events // _SHORT)
            short = self._race(contender, events // _SHORT)
            result = between(contender.guarantee, short, self._race(contender, events))
        except (ContestError, NotInstalledError, ConfigError) as error:
            self.report.void[title] = str(error)
            _tell(f"  no number: {str(error)[-300:]}")
            return
        results[contender.name] = result
        _tell(f"  {result.per_cpu_second:,.0f} decisions per CPU-second")

    def _race(self, contender: Contender, events: int) -> Run:
        self._runs += 1
        label = f"run-{self._runs}"
        entry = contender.enter(self._ground, events, label)
        log = self._ground.on.folder / f"{label}.log"
        run = race(self._ground.bootstrap, entry, self._cores.contender, log, self._ground.partitions)
        found = check(
            self._ground.bootstrap, entry.decisions, events, self._expected, scored=contender.scored
        )
        if entry.feature_log:
            check_log(self._ground.bootstrap, entry.feature_log, events)
        if contender.scored and len(found) > len(self._expected):
            self._expected = found  # whoever comes first says what the others must find
        return run


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
