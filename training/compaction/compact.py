"""A fitted artifact made smaller, in the format of its own library.

1. Drop trees that do not pay, where ``training.compaction.drop_trees`` asks for it.
2. Merge subtrees whose leaves say the same, or nearly so within ``training.compaction.tolerance``.
3. Write the artifact again, without what only its fit needed.
4. Load it both ways, by its library and as a packed walk, and hold it to what was promised: where only equal
   leaves were merged, every margin to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feature_store.errors import ContractError
from streams.models.engine import native_engine
from streams.models.packing import pack_here
from streams.models.trees.probes import probe_rows
from streams.models.trees.splits import UnpackableError
from training.compaction.dropping import unpaid_trees
from training.compaction.figures import CompactionReport
from training.compaction.lightgbm_writer import write_lightgbm
from training.compaction.merging import merge
from training.compaction.plan import as_it_is
from training.compaction.report import Loaded, sizes
from training.compaction.xgboost_writer import write_xgboost

if TYPE_CHECKING:
    from feature_store.declaration.fitting import CompactionSpec
    from feature_store.expressions import Matrix
    from streams.models.engine import NativeEngine
    from streams.models.trees.forest import Packed
    from streams.models.trees.splits import Splits
    from training.compaction.plan import Plan
    from training.dataset.events import LabelledEvents

_PROBED = 20_000
"""Rows of the validation slice that margins are compared on."""


@dataclass(frozen=True)
class Compacted:
    """What is served; ``dropped`` are the trees that a refit by the same recipe leaves out, too."""

    artifact: bytes
    report: CompactionReport
    dropped: tuple[int, ...] = ()


def compact(
    artifact: bytes,
    family: str,
    validation: LabelledEvents,
    spec: CompactionSpec,
    seed: int,
    *,
    dropped: tuple[int, ...] | None = None,
) -> Compacted:
    """Make ``artifact`` smaller. ``dropped``: leave out these trees instead of choosing by ``validation``.

    With ``dropped`` nothing is measured, and the report has no sizes. A model that the packed walk does not
    cover stays as it is, and the report says why. Raises ContractError for one that cannot be loaded.
    """
    native = native_engine(family, artifact)
    try:
        before = Loaded(artifact, native, pack_here(native, artifact))
        splits = native.splits(artifact)
    except UnpackableError as error:
        return Compacted(artifact, CompactionReport(skipped=str(error)))
    measured = dropped is None
    if dropped is None:
        dropped = tuple(unpaid_trees(artifact, splits, validation, seed) if spec.drop_trees else ())
    left_out = [tree for tree in dropped if tree < len(splits.roots)]
    if len(left_out) == len(splits.roots):
        left_out = []
    kept = as_it_is(splits).without(left_out)
    plan = merge(splits, kept, spec.tolerance)
    smaller = _written(artifact, family, splits, plan)
    unmerged = Loaded(*_both(family, _written(artifact, family, splits, kept))) if left_out else before
    after = Loaded(*_both(family, smaller))
    moved = _held(unmerged, after, validation.features[:_PROBED], plan.bound)
    was, now = sizes((before, after), validation) if measured else (None, None)
    report = CompactionReport(was, now, dropped=len(left_out), bound=plan.bound, moved=moved)
    return Compacted(smaller, report, tuple(left_out))


def _written(artifact: bytes, family: str, splits: Splits, plan: Plan) -> bytes:
    return (write_lightgbm if family == "lightgbm" else write_xgboost)(artifact, splits, plan)


def _both(family: str, artifact: bytes) -> tuple[bytes, NativeEngine, Packed]:
    native = native_engine(family, artifact)
    try:
        return artifact, native, pack_here(native, artifact)
    except UnpackableError as error:
        raise ContractError(f"compaction wrote a model that cannot be packed any more: {error}") from error


def _held(promised: Loaded, found: Loaded, rows: Matrix, bound: float) -> float:
    """How far the margins of ``rows`` moved. Raises ContractError where that is further than proven."""
    probes = np.concatenate([np.ascontiguousarray(rows), probe_rows(promised.packed)])
    expected = promised.native.margins(probes)
    moved = 0.0
    for engine in (found.native, found.walk):
        margins = engine.margins(probes)
        apart = np.abs(margins - expected)
        if not (apart <= bound).all() or (bound == 0 and (margins != expected).any()):
            raise ContractError(
                f"compaction moved a margin by {apart.max()}, {bound} was proven; set "
                "training.compaction.tolerance: 0 and tell the developers"
            )
        moved = max(moved, float(apart[: len(rows)].max(initial=0.0)))
    return moved
