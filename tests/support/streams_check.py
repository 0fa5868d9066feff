"""What a way of computing features answers, held to the oracle."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from tests.support.oracle import Delta, Event, Oracle
from tests.support.streams import placed
from tests.support.streams_pipeline import MEANING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from tests.support.oracle_numbers import Expected
    from tests.support.streams import DrawnStream, Step
    from tests.support.streams_play import Play

Place = tuple[int, int]
"""A step and an event of it."""


def assert_parity(way: Play, pipeline: Pipeline, drawn: DrawnStream) -> None:
    """The features of the stream are what the oracle says."""
    steps = placed(pipeline, drawn)
    wrong = list(islice(differences(pipeline, expected(pipeline, steps), way(pipeline, steps)), 5))
    assert not wrong, "\n".join(wrong)


def expected(
    pipeline: Pipeline, steps: Sequence[Step], places: Collection[Place] | None = None
) -> dict[Place, list[Expected]]:
    """What the oracle says about every event that is not late, or about those at ``places``."""
    oracle = Oracle(pipeline, MEANING)
    history: list[Event | Delta] = []
    found = {}
    for n, step in enumerate(steps):
        seen = [*history, *step.deltas, *step.events]
        for row, event in enumerate(step.events):
            if not step.late[row] and (places is None or (n, row) in places):
                found[n, row] = oracle.vector(event, seen)
        if step.commits:
            history = seen
    return found


def differences(
    pipeline: Pipeline, right: Mapping[Place, Sequence[Expected]], found: Sequence[Matrix | None]
) -> Iterator[str]:
    """Every value that the oracle does not allow, in words."""
    names = [feature.name for feature in pipeline.feature_vector]
    for (n, row), wanted in right.items():
        matrix = found[n]
        if matrix is None:
            continue
        for name, value, allowed in zip(names, matrix[row].tolist(), wanted, strict=True):
            if not allowed.allows(value):
                yield f"step {n}, event {row}: {name} is {value!r}; the oracle says {allowed}"
