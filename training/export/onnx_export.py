"""A published model as one ONNX file, held to what a scorer says before it is given out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from feature_store.errors import ContractError
from streams.models.calibration import scores_of
from streams.models.engine import native_engine
from streams.models.trees.splits import UnpackableError
from training.export.onnx_graph import graph_of, run_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.messages import Manifest
    from streams.models.trees.splits import Splits

    Floats = NDArray[np.float64]

FURTHEST = 1e-4
"""How far a score may be from the scorer's: 32-bit sums are not 64-bit sums."""
_ROWS = 4_096
_TAKEN_FOR_ZERO = float(np.float32(1e-35))
_ODD = np.array([np.nan, 0.0, -0.0, 1.0, -1.0, 1e-30, -1e30, 3e38, -3e38, np.inf, -np.inf])


class Exported(NamedTuple):
    """The file, and what was found when it was checked.

    ``furthest`` is the largest distance between its scores and the scorer's on ``rows`` rows made from the
    model's own thresholds; ``collided`` of ``thresholds`` cannot be told from a neighbour in 32 bits.
    """

    model: bytes
    furthest: float
    rows: int
    thresholds: int
    collided: int


def export_onnx(manifest: Manifest, artifact: bytes) -> Exported:
    """Write and check. Raises ContractError where ONNX has no word for a model, or it scores otherwise."""
    if not manifest.artifact.is_of(artifact):
        raise ContractError(f"model {manifest.version}: the artifact is not the one of its manifest")
    native = native_engine(manifest.family, artifact)
    try:
        splits = native.splits(artifact)
    except UnpackableError as error:
        raise ContractError(f"model {manifest.version} cannot be exported: {error}") from error
    model = graph_of(splits, manifest.calibration, _properties(manifest))
    edges = _edges(splits)
    rows = _probes(splits, edges)
    expected = scores_of(native.margins(rows), manifest.calibration)
    furthest = float(np.abs(run_graph(model, rows) - expected).max())
    if not furthest <= FURTHEST:
        raise ContractError(
            f"model {manifest.version}: as ONNX a score is {furthest:.2g} away from the scorer's, "
            f"{FURTHEST:g} is allowed; nothing was written"
        )
    collided = sum(len(each) - len(np.unique(each.astype(np.float32))) for each in edges)
    return Exported(model, furthest, len(rows), sum(map(len, edges)), collided)


def _properties(manifest: Manifest) -> dict[str, str]:
    return {
        "version": manifest.version,
        "pipeline": manifest.pipeline,
        "family": manifest.family,
        "artifact_sha256": manifest.artifact.sha256,
        "features": msgspec.json.encode(manifest.features).decode(),
        "input": "float32, one column per feature in this order, NaN where missing",
        "output": "margin: log-odds as fitted; score: calibrated probability",
    }


def _edges(splits: Splits) -> list[Floats]:
    """The distinct thresholds of every feature."""
    inner = splits.left >= 0
    return [np.unique(splits.threshold[inner & (splits.feature == at)]) for at in range(splits.features)]


def _probes(splits: Splits, edges: list[Floats]) -> Floats:
    """Thresholds, their neighbours in 32 bits, and odd values, shuffled into rows.

    What rounding to 32 bits takes across a threshold is left out: no file with 32-bit input can tell it. So
    is what LightGBM takes for zero.
    """
    random = np.random.default_rng(len(splits.left))
    rows = np.empty((_ROWS, splits.features))
    for feature, known in enumerate(edges):
        single = known.astype(np.float32)
        around = [np.nextafter(single, np.float32(way)).astype(np.float64) for way in (-np.inf, np.inf)]
        values = np.concatenate([known, *around])
        with np.errstate(over="ignore"):
            rounded = values.astype(np.float32)
        same = np.searchsorted(known, values, side="left") == np.searchsorted(single, rounded, side="left")
        sound = np.concatenate([values[same & (np.abs(values) > _TAKEN_FOR_ZERO)], _ODD])
        rows[:, feature] = random.permutation(np.resize(random.permutation(sound), _ROWS))
    return rows
