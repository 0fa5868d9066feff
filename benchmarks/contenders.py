"""Who takes part: the scorer, the loop that does nothing, four peers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.contest import Entry
from benchmarks.peers.environments import PEERS, python_of
from benchmarks.stages import stage_seconds, with_metrics
from benchmarks.workload import declaration

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.field import Field

OURS, NOOP = "sluicegate", "no-op loop"
EXACTLY_ONCE, AT_LEAST_ONCE = "exactly once", "at least once"
STRONGEST = {
    "faust": f"{EXACTLY_ONCE} (within its tables)",
    "quix": EXACTLY_ONCE,
    "bytewax": f"{AT_LEAST_ONCE}, with recovery",
    "pathway": f"{AT_LEAST_ONCE}, with persistence",
}
SHARES = {"faust": 20, "quix": 10, "bytewax": 4, "pathway": 4}
"""Slower ones get a stream so much shorter, which also leaves less in their windows."""


@dataclass(frozen=True)
class Contender:
    """``enter(field, events, label)`` gets it ready for a topic of so many events."""

    name: str
    guarantee: str
    share: int
    enter: Callable[[Field, int, str], Entry]
    scored: bool = True
    """Whether its scores are to be those of the others."""


def scorer(guarantee: str) -> Contender:
    """The scorer as `sluicegate scorer` runs it."""
    delivery = guarantee.replace(" ", "_")

    def enter(field: Field, events: int, label: str) -> Entry:
        tree: dict[str, Any] = {**declaration(), "serving": {"delivery": delivery}}
        watched, port = with_metrics(tree)
        on = field.pipeline(watched, label, field.events(events))
        topics = on.pipeline.topics
        return Entry(on.scorer_command(), events, topics.decisions, stage_seconds(port), topics.features)

    return Contender(OURS, guarantee, 1, enter)


def noop() -> Contender:
    """The loop of ``benchmarks.noop``."""

    def enter(field: Field, events: int, label: str) -> Entry:
        on = field.pipeline(declaration(), label, field.events(events))
        command = [sys.executable, "-m", "benchmarks.noop", "--config", str(on.config)]
        command += ["--broker", field.bootstrap, "--id", label]
        topics = on.pipeline.topics
        return Entry(command, events, topics.decisions, feature_log=topics.features)

    return Contender(NOOP, EXACTLY_ONCE, 1, enter, scored=False)


def peer(name: str, *, strongest: bool) -> Contender:
    """A peer in an environment of its own; entering raises NotInstalledError."""

    def enter(field: Field, events: int, label: str) -> Entry:
        state = field.on.folder / label
        state.mkdir()
        decisions = field.topic(f"{label}-decisions")
        command = [str(python_of(name)), "-m", f"benchmarks.peers.{name}", "--bootstrap", field.bootstrap]
        command += ["--events", field.events(events), "--decisions", decisions, "--group", label]
        command += ["--model", str(field.model), "--state", str(state)]
        return Entry([*command, "--strongest"] if strongest else command, events, decisions)

    return Contender(name, STRONGEST[name] if strongest else AT_LEAST_ONCE, SHARES[name], enter)


def everyone(peers: tuple[str, ...] = tuple(PEERS)) -> tuple[list[Contender], list[Contender]]:
    """Each at its strongest guarantee, and all at least once."""
    strongest = [scorer(EXACTLY_ONCE), *(peer(name, strongest=True) for name in peers)]
    return strongest, [scorer(AT_LEAST_ONCE), *(peer(name, strongest=False) for name in peers)]
