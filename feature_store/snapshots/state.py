"""What belongs into a snapshot: windows and remembered ids, as arrays, and back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from feature_store.errors import ContractError
from feature_store.snapshots.format import PartitionPosition, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duplicates import DuplicateFilter
    from feature_store.store import FeatureStore

_FEATURES = "features/"
_DUPLICATES = "duplicates/"
_ALL = "all"


def units_of(pipeline: Pipeline, partitions: Iterable[int]) -> dict[str, list[int]]:
    """What is kept as one snapshot: each partition, or all where one state covers all of them."""
    held = sorted(partitions)
    if pipeline.global_features:
        return {_ALL: held} if held else {}
    return {f"partition-{partition}": [partition] for partition in held}


def capture(
    pipeline: Pipeline,
    unit: str,
    store: FeatureStore,
    filters: Mapping[int, DuplicateFilter],
    positions: dict[int, PartitionPosition],
    seq: int,
) -> Snapshot:
    """The committed state of a unit, copied: ``positions`` and ``filters`` are those of its partitions."""
    scope = _scope(unit, positions)
    arrays = {f"{_FEATURES}{name}": array for name, array in store.export(scope).items()}
    arrays |= {f"{_DUPLICATES}{partition}": filters[partition].export() for partition in positions}
    return Snapshot(
        pipeline=pipeline.name,
        unit=unit,
        positions=positions,
        layouts=store.layouts(scope),
        seq=seq,
        taken_at=time.time_ns() // 1_000,
        arrays=arrays,
    )


def install(
    snapshot: Snapshot, store: FeatureStore, filters: Mapping[int, DuplicateFilter]
) -> tuple[set[str], set[str]]:
    """Put a snapshot's state into partitions that were just added.

    Returns the groups of features that it held, and those that it did not: these are empty. Raises
    ContractError where the arrays are not those of such a unit; what is in the store then is of no use.
    """
    scope = _scope(snapshot.unit, snapshot.positions)
    wanted = store.layouts(scope)
    changed = {group for group, layout in wanted.items() if snapshot.layouts.get(group) != layout}
    features = {
        name.removeprefix(_FEATURES): array
        for name, array in snapshot.arrays.items()
        if name.startswith(_FEATURES) and changed.isdisjoint(name.split("/"))
    }
    held = store.load(scope, features) - changed
    for partition in snapshot.positions:
        ids = snapshot.arrays.get(f"{_DUPLICATES}{partition}")
        if ids is None:
            raise ContractError(f"it holds no ids of partition {partition}")
        filters[partition].load(ids)
    return held, set(wanted) - held


def _scope(unit: str, positions: Mapping[int, PartitionPosition]) -> int | None:
    return None if unit == _ALL else next(iter(positions))
