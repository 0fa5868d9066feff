"""The engine that a decision names, loaded again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import ContractError
from streams.messages import ArtifactInfo
from streams.models.cuda import CudaEngine
from streams.models.engine import native_engine
from streams.models.packing import pack_here
from streams.models.trees.splits import UnpackableError
from streams.models.trees.walk import PackedEngine

if TYPE_CHECKING:
    from streams.messages import Manifest
    from streams.models.engine import Engine


def named_engine(name: str, manifest: Manifest, artifact: bytes) -> Engine:
    """The engine ``name`` of a model version. Raises ContractError saying why it cannot be had here."""
    if ArtifactInfo.of(artifact) != manifest.artifact:
        raise ContractError(f"model {manifest.version}: the artifact is not the one of its manifest")
    native = native_engine(manifest.family, artifact)
    if name == native.name:
        return native
    if name == f"{native.name}-packed":
        try:
            return PackedEngine(name, pack_here(native, artifact))
        except UnpackableError as error:
            raise ContractError(f"model {manifest.version} cannot be packed here: {error}") from error
    if name == CudaEngine.name and manifest.family == "xgboost":
        return CudaEngine(artifact)
    raise ContractError(f"the engine {name!r} of a {manifest.family} model is not known here")
