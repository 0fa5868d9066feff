"""Large streams from a seed: entities with thousands of events, many entities, and everything between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.support.streams import SECOND, DrawnDelta, DrawnEvent, DrawnStep, DrawnStream

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONG = 10**18 - 1
_EXTREME_WEIGHTS = (1e150, -1e150, 1e16, -1e16, 1e-150, 3.4e38, 0.0, -0.0)


@dataclass(frozen=True)
class Crowd:
    """How a large stream looks: who takes part, how fast, in how large steps."""

    events: int
    cards: int
    seconds_between: float
    step: int = 512
    """Steps have up to twice this many events."""
    extremes: float = 0.01
    """The share of amounts at the end of their range."""
    disorder: float = 0.1
    """The share of events that come up to ten minutes after their time; a tenth of these even later."""


def crowd(seed: int, of: Crowd) -> DrawnStream:
    """The stream; the same for the same seed."""
    return DrawnStream(list(_steps(np.random.default_rng(seed), of)))


def _steps(random: np.random.Generator, of: Crowd) -> Iterator[DrawnStep]:
    left = of.events
    while left > 0:
        size = min(left, int(random.integers(0, 2 * of.step)))
        left -= size
        span = int(size * of.seconds_between * SECOND)
        whole = random.integers(0, max(span // SECOND, 1), size) * SECOND  # whole seconds: many ties
        offsets = np.sort(whole) - span
        behind = random.random(size) < of.disorder
        offsets = offsets - behind * random.integers(0, 600 * SECOND, size)
        offsets = offsets - (behind & (random.random(size) < 0.1)) * random.integers(0, 7200 * SECOND, size)
        yield DrawnStep(
            advance=span,
            deltas=[_delta(random) for _ in range(size // 20)],
            events=[DrawnEvent(int(each), _values(random, of), random.random() < 0.9) for each in offsets],
            commits=random.random() < 0.9,
            hands_over=random.random() < 0.2,
        )


def _delta(random: np.random.Generator) -> DrawnDelta:
    return DrawnDelta(int(random.exponential(500)), 1 if random.random() < 0.8 else -1, None)


def _values(random: np.random.Generator, of: Crowd) -> dict[str, Any]:
    number = int(of.cards * random.random() ** 2)  # some cards far more often than others
    found: dict[str, Any] = {
        "card": f"card-{number}",
        "shop": f"shop-{int(random.integers(40))}" if random.random() < 0.9 else "7",
        "terminal": int(random.integers(-100, 100)),
        "abroad": bool(random.random() < 0.2),
        "seen": int(random.integers(1000)),
        "money": _one_of(random, of, (_LONG, -_LONG), int(random.lognormal(8, 2))),
        "share": _one_of(random, of, (_LONG, -_LONG), int(random.integers(-(10**9), 10**9))),
        "points": _one_of(random, of, (2**62, -(2**62), 2**63 - 1, 1 - 2**63), int(random.integers(100))),
        "weight": _one_of(random, of, _EXTREME_WEIGHTS, float(random.normal() * 10 ** random.integers(5))),
    }
    return {name: value for name, value in found.items() if name == "card" or random.random() < 0.95}


def _one_of(random: np.random.Generator, of: Crowd, extremes: tuple[Any, ...], usual: float) -> Any:
    return extremes[int(random.integers(len(extremes)))] if random.random() < of.extremes else usual
