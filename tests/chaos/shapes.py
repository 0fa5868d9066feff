"""The two systems that rounds are played on: one stage, and two of them with sink workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.chaos.declared import PLAIN, STAGED
from tests.support.outcomes import counting_frauds
from tests.support.payments import private_pipeline, shipped_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from tests.chaos.declared import Declared

KEEPER = "keeper"
ENTRANCE = "scorer that reads events"
FORWARDING = "scorer that passes events on"
DECIDING = "scorer that decides"
SCORER = "scorer"
SINK = "sink"


class Shape(NamedTuple):
    """``members``: process -> what the program is told; ``roles``: who plays what, first of all in rounds."""

    declared: Declared
    pipeline: Callable[..., tuple[Path, Pipeline]]
    members: Mapping[str, tuple[str, ...]]
    roles: Mapping[str, tuple[str, ...]]
    further: str
    """A scorer that comes and goes; it is not there at first."""

    def topics(self, pipeline: Pipeline) -> dict[str, str]:
        """What the checker reads: what it stands for -> its name."""
        names = ("events", "features", "decisions", "dead_letters", "entity_outcomes")
        found = {what: getattr(pipeline.topics, what) for what in names}
        if len(pipeline.stages) > 1:
            first, last = pipeline.stages
            found["stage_log"] = pipeline.topics.log_of(first)
            found["between"] = pipeline.topics.between(last)
        return found


def _staged(folder: Path, prefix: str, **changes: Any) -> tuple[Path, Pipeline]:
    """The payments, counted by customer, then by terminal; sink workers.

    Faults hold partitions up by hours of the events' time: of an hour's lateness the second stage would flag
    much, and the checker compare little.
    """
    features = shipped_tree()["features"] | {"staged": True, "lateness": "24h"}
    features["windows"] += [
        {"entity": "terminal_id", "windows": ["24h", "7d"], "count": True, "sum": "amount"},
        {"entity": ["terminal_id", "country"], "windows": ["1h"], "count": True},
        {"entity": "terminal_id", "windows": ["7d"], "frauds": True, "fraud_rate": True},
    ]
    training = shipped_tree()["training"] | {"sink": {"workers": 2, "every": "500ms"}}
    return private_pipeline(folder, prefix, **({"features": features, "training": training} | changes))


def _scorers(name: str, count: int, *stage: str) -> dict[str, tuple[str, ...]]:
    return {f"{name}{slot}": ("scorer", *stage, "--slot", str(slot)) for slot in range(count)}


_KEEPER = {KEEPER: ("keeper", "--port", "0")}
SHAPES = {
    "plain": Shape(
        PLAIN,
        counting_frauds,
        _scorers("scorer", 3) | _KEEPER,
        dict.fromkeys((SCORER, ENTRANCE, DECIDING), ("scorer0", "scorer1")) | {KEEPER: (KEEPER,)},
        "scorer2",
    ),
    "staged": Shape(
        STAGED,
        _staged,
        {
            **_scorers("first", 2, "--stage", "0"),
            **_scorers("last", 3, "--stage", "1"),
            "sink0": ("sink", "--slot", "0"),
            "sink1": ("sink", "--slot", "1"),
            **_KEEPER,
        },
        {
            SCORER: ("first0", "first1", "last0", "last1"),
            ENTRANCE: ("first0", "first1"),
            FORWARDING: ("first0", "first1"),
            DECIDING: ("last0", "last1"),
            SINK: ("sink0", "sink1"),
            KEEPER: (KEEPER,),
        },
        "last2",
    ),
}
