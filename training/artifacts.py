"""Where the keeper puts artifacts: on the models topic, or into the declared store, before they are named.

1. An artifact is in the store before the manifest that names it is published: no manifest leads to nothing.
2. What the topic has no manifest of any more is removed after that was committed.
3. An artifact whose keeper died between 1 and its publication is found later: it is old and unnamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.errors import SluicegateError
from streams.messages import ArtifactInfo
from streams.messages.model import CHUNK_BYTES, artifact_key, manifest_key
from streams.models.artifacts import ArtifactStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest
    from training.writer import Records

_ABANDONED_S = 86_400.0
"""What a keeper has stored it publishes within minutes."""

log = structlog.get_logger()


class Artifacts:
    """Used by one change of the models topic at a time."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline.name
        self._declared = bool(pipeline.training.artifacts.store)
        self._store = ArtifactStore(pipeline)
        self._kept: set[str] = set()
        self._every = False
        self._gone: dict[str, ArtifactInfo] = {}

    def placed(self, version: str, artifact: bytes) -> tuple[ArtifactInfo, Records]:
        """Put an artifact where it belongs; what its manifest says of it, and its chunks for the topic.

        Raises StorageError where the store cannot be written.
        """
        if self._store.takes(len(artifact)):
            return self._store.put(artifact), []
        starts = range(0, len(artifact), CHUNK_BYTES)
        chunks = [artifact[at : at + CHUNK_BYTES] for at in starts]
        return ArtifactInfo.of(artifact), [
            (artifact_key(version, i), chunk) for i, chunk in enumerate(chunks)
        ]

    def expect(self, manifests: Mapping[str, Manifest], gone: set[bytes], *, every: bool) -> None:
        """Know which manifests the topic will have once the keys in ``gone`` are taken from it.

        Not ``every`` one: there are more, of which nobody knows what they name, by a key that is not trusted
        now or from another release of the program. Then nothing is swept.
        """
        self._every = every
        named: dict[bool, dict[str, ArtifactInfo]] = {True: {}, False: {}}
        for version, manifest in manifests.items():
            if manifest.artifact.store is not None:
                staying = manifest_key(self._pipeline, version) not in gone
                named[staying][manifest.artifact.sha256] = manifest.artifact
        self._kept = set(named[True])
        self._gone = {digest: info for digest, info in named[False].items() if digest not in self._kept}

    def clean(self) -> None:
        """Remove what nothing names any more, now that the change is committed.

        A store that cannot be reached keeps it until a later change: nothing depends on its being gone.
        """
        if not self._declared:
            return
        try:
            for info in self._gone.values():
                self._store.delete(info)
            swept = self._store.sweep(self._kept, _ABANDONED_S) if self._every else []
        except SluicegateError as error:
            log.warning("artifacts_not_removed", why=str(error))
        else:
            if self._gone or swept:
                log.info("artifacts_removed", unkept=list(self._gone), abandoned=swept)
