"""Load an artifact, run it, pack it."""

from __future__ import annotations

from feature_store.errors import ContractError
from streams.models.engine import native_engine
from streams.models.packing import TrialResult, pack_here
from streams.models.trees.probes import odd_rows, probe_rows
from streams.models.trees.splits import UnpackableError
from streams.models.trees.wire import to_bytes


def tried(family: str, artifact: bytes) -> TrialResult:
    """What comes of ``artifact``, if this process lives to tell."""
    try:
        return _tried(family, artifact)
    except MemoryError:
        return TrialResult(refused=f"it wants far more memory than a model of {len(artifact)} bytes needs")


def _tried(family: str, artifact: bytes) -> TrialResult:
    try:
        native = native_engine(family, artifact)
    except ContractError as error:
        return TrialResult(refused=str(error))
    try:
        packed = pack_here(native, artifact)
    except ContractError as error:
        return TrialResult(refused=str(error))
    except UnpackableError as error:
        native.margins(odd_rows(native.features))
        return TrialResult(unpackable=str(error))
    native.margins(probe_rows(packed))
    return TrialResult(packed=to_bytes(packed))
