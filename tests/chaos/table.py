"""What was played and what was found, for people and as JSON."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Round:
    """One round; the counts are those of its own records."""

    number: int
    fault: str
    did: str = ""
    events: int = 0
    decided: int = 0
    dead: int = 0
    duplicates: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    seconds: float = 0.0
    recovered: float = 0.0
    """Seconds from the fault's end until every record was accounted for, in the keeper's store too."""
    ended: dict[str, int] = field(default_factory=dict)
    """Part and exit status -> how often it ended so by itself."""
    tracebacks: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass
class Table:
    """All rounds of one run."""

    seed: str
    left_out: dict[str, str] = field(default_factory=dict)
    """Fault -> why this machine cannot play it."""
    compared: int = 0
    """Values of features that were compared with the oracle's."""
    rounds: list[Round] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """As JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def text(self) -> str:
        """A line per fault, and one for all."""
        kinds: dict[str, list[Round]] = defaultdict(list)
        for each in self.rounds:
            kinds[each.fault].append(each)
        lines = [_HEAD, _RULE, *(_line(name, rounds) for name, rounds in sorted(kinds.items()))]
        lines.append(_line("all", self.rounds))
        lines += [f"left out: {name}: {why}" for name, why in self.left_out.items()]
        lines.append(f"seed {self.seed}; {self.compared:,} values of features compared with the oracle's")
        return "\n".join(lines)


_HEAD = (
    "| fault | rounds | events | decided | dead letters | duplicates | lost | doubled | wrong "
    "| recovered after, s (median, worst) | ended by themselves |"
)
_RULE = "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"
_SUMMED = ("events", "decided", "dead", "duplicates", "lost", "doubled", "wrong")


def _line(name: str, rounds: list[Round]) -> str:
    sums = " | ".join(f"{sum(getattr(each, column) for each in rounds):,}" for column in _SUMMED)
    waits = sorted(each.recovered for each in rounds) or [0.0]
    ended: Counter[str] = Counter()
    for each in rounds:
        ended.update(each.ended)
    words = ", ".join(f"{how}: {count}" for how, count in sorted(ended.items())) if name != "all" else ""
    return f"| {name} | {len(rounds)} | {sums} | {waits[len(waits) // 2]:.1f}, {waits[-1]:.1f} | {words} |"
