"""State by group: made, settled, copied out and taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.engine.state import SeriesState
from feature_store.errors import ContractError

if TYPE_CHECKING:
    from feature_store.engine.groups import Group

State = dict[str, SeriesState]
"""Series -> its rows, of one group."""

NEWEST = "newest"
"""The array of partitions and their newest event times."""


def empty_state(group: Group) -> State:
    """The state of a group that has seen nothing."""
    return {name: SeriesState(program) for name, program in group.programs.items()}


def commit_states(groups: dict[str, State], watermark: int) -> None:
    """Make everything final; no further event is behind ``watermark`` (us)."""
    for state in groups.values():
        for series in state.values():
            series.commit(watermark)


def exported(prefix: str, groups: dict[str, State]) -> dict[str, np.ndarray[Any, Any]]:
    """A copy of the committed state: ``prefix`` + group / series / array."""
    return {
        f"{prefix}{group}/{name}/{array}": data
        for group, state in groups.items()
        for name, series in state.items()
        for array, data in series.export().items()
    }


def newest_of(partitions: list[int], arrays: dict[str, np.ndarray[Any, Any]]) -> list[list[int]]:
    """Pairs of partition and newest event time (us). Raises ContractError for other partitions than these."""
    kept = arrays.get(NEWEST, np.empty((0, 0)))
    pairs: list[list[int]] = kept.tolist() if kept.dtype == np.int64 and kept.shape[1:] == (2,) else []
    if [partition for partition, _ in pairs] != partitions:
        raise ContractError(f"{NEWEST}: expected the newest event time of partitions {partitions}")
    return pairs


def loaded(prefix: str, groups: dict[str, State], arrays: dict[str, np.ndarray[Any, Any]]) -> set[str]:
    """Take over what ``exported`` gave; returns the groups that were in it. Raises ContractError where the
    arrays are not those of such a state.
    """
    taken = set()
    for group, state in groups.items():
        found = {
            name: {
                key.rpartition("/")[2]: data
                for key, data in arrays.items()
                if key.startswith(f"{prefix}{group}/{name}/")
            }
            for name in state
        }
        if all(found.values()):
            taken.add(group)
            for name, series in state.items():
                series.load(found[name])
    return taken
