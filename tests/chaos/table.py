"""What was played and what was found, for people and as JSON."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from tests.chaos.counts import COUNTED, Counts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NOT_REACHED = "not reached"
"""The end of what was done where a crash point was not come to: nothing went wrong in that round."""


@dataclass
class Round:
    """One round; ``counts`` are those of its own records, its findings among them."""

    number: int
    shape: str
    fault: str
    did: str = ""
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0
    recovered: float = 0.0
    """Seconds from the fault's end until every record was accounted for, in the keeper's store too."""
    ended: dict[str, int] = field(default_factory=dict)
    """Part and exit status -> how often it ended so by itself."""
    told_to_end: dict[str, int] = field(default_factory=dict)
    """The same of the ends that it was told to come to."""
    tracebacks: int = 0


@dataclass
class Table:
    """All rounds of one run."""

    seed: str
    left_out: dict[str, str] = field(default_factory=dict)
    """Fault -> why this machine cannot play it."""
    broken_off: dict[str, str] = field(default_factory=dict)
    """Shape -> why no more of its rounds were played."""
    compared: dict[str, int] = field(default_factory=dict)
    """Shape -> values of features that were compared with the oracle's."""
    rounds: list[Round] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """As JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def text(self) -> str:
        """A line per shape and fault, one for all, and every finding."""
        kinds: dict[tuple[str, str], list[Round]] = defaultdict(list)
        for each in self.rounds:
            kinds[each.shape, each.fault].append(each)
        lines = [_HEAD, _RULE, *(_line(*kind, rounds) for kind, rounds in sorted(kinds.items()))]
        for shape in [*sorted(self.compared), "all"]:
            lines += [_line(shape, "all", [each for each in self.rounds if shape in (each.shape, "all")])]
        lines += [f"left out: {name}: {why}" for name, why in self.left_out.items()]
        lines += [
            f"in vain: {each.fault} (round {each.number}, {each.shape}): {each.did}"
            for each in self.rounds
            if each.did.endswith(NOT_REACHED)
        ]
        lines += [f"broken off: {shape}: {why}" for shape, why in self.broken_off.items()]
        lines += [
            f"found in round {each.number}, {each.shape}, {each.fault}: {words}"
            for each in self.rounds
            for words in each.counts.findings
        ]
        told = _how_often(each.told_to_end for each in self.rounds)
        lines += [f"told to end, and ended with: {told}"] if told else []
        compared = sum(self.compared.values())
        lines.append(f"seed {self.seed}; {compared:,} values of features compared with the oracle's")
        return "\n".join(lines)

    @property
    def sound(self) -> bool:
        """Whether nothing was found in any round."""
        return not self.broken_off and all(each.counts.sound for each in self.rounds)


_HEAD = (
    "| system | what went wrong | rounds | events | decided | dead letters | duplicates "
    "| lost | doubled | wrong | recovered after, s (median, worst) | ended by themselves |"
)
_RULE = "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"


def _line(shape: str, name: str, rounds: list[Round]) -> str:
    sums = " | ".join(f"{sum(getattr(each.counts, column) for each in rounds):,}" for column in COUNTED)
    waits = sorted(each.recovered for each in rounds) or [0.0]
    words = _how_often(each.ended for each in rounds) if name != "all" else ""
    typical, worst = waits[len(waits) // 2], waits[-1]
    return f"| {shape} | {name} | {len(rounds)} | {sums} | {typical:.1f}, {worst:.1f} | {words} |"


def _how_often(ended: Iterable[dict[str, int]]) -> str:
    sums: Counter[str] = Counter()
    for each in ended:
        sums.update(each)
    return ", ".join(f"{how}: {count}" for how, count in sorted(sums.items()))
