"""Artifacts that stand in a store and not on the models topic: by their SHA-256, checked when read."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from feature_store.errors import ContractError
from feature_store.objects import open_folder
from streams.messages.model import STORED_UNDER, ArtifactInfo

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.objects import ObjectFolder

_SETTING = "training.artifacts.store"


class ArtifactStore:
    """The store that the pipeline file declares, from any thread; it is opened when it is first needed.

    Only what is declared is ever opened: a manifest names an object in it by the digest, and nothing else.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline.name
        self._spec = pipeline.training.artifacts
        self._folder: ObjectFolder | None = None
        self._opening = threading.Lock()

    def takes(self, length: int) -> bool:
        """Whether an artifact of ``length`` bytes belongs here."""
        return bool(self._spec.store) and length >= self._spec.inline_below

    def put(self, artifact: bytes) -> ArtifactInfo:
        """Store an artifact; returns what its manifest says of it. Raises StorageError."""
        info = ArtifactInfo.stored(artifact)
        self._opened().put(self._name(info), artifact)
        return info

    def get(self, info: ArtifactInfo) -> bytes:
        """The bytes that ``info`` is about.

        Raises StorageError where they cannot be had now, ContractError where what is there is something else.
        """
        artifact = self._opened().get_at_most(self._name(info), info.length)
        if not info.is_of(artifact):
            raise ContractError(f"{self._name(info)} in {self._spec.store} is not what its manifest says")
        return artifact

    def delete(self, info: ArtifactInfo) -> None:
        """Remove an artifact. Raises StorageError."""
        self._opened().delete(self._name(info))

    def sweep(self, kept: set[str], older_than_s: float) -> list[str]:
        """Remove what no manifest in ``kept`` (digests) names and is so old; returns their digests.

        An artifact that was stored by a keeper that died before it published would stay for ever else. Raises
        StorageError.
        """
        folder = self._opened()
        names = folder.older(f"{self._pipeline}/{STORED_UNDER}", older_than_s)
        gone = [name for name in names if name.rsplit("/", 1)[1] not in kept]
        for name in gone:
            folder.delete(name)
        folder.sweep(f"{self._pipeline}/{STORED_UNDER}")
        return [name.rsplit("/", 1)[1] for name in gone]

    def _name(self, info: ArtifactInfo) -> str:
        return f"{self._pipeline}/{info.store}"

    def _opened(self) -> ObjectFolder:
        with self._opening:
            if self._folder is None:
                if not self._spec.store:
                    raise ContractError(
                        f"the artifact stands in a store, and the pipeline file declares none: {_SETTING}"
                    )
                self._folder = open_folder(self._spec.store, Path(self._spec.store), _SETTING)
            return self._folder
