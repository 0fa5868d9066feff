"""What the models topic holds: the acting release, the versions kept, their artifacts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from feature_store.errors import ContractError
from streams.kafka import read_to_end
from streams.messages import Manifest, Release
from streams.messages.model import artifact_key, release_key

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline


@dataclass
class PublishedModels:
    """One reading of the topic; ``manifests`` are in the order of publication, oldest first."""

    release: Release | None = None
    manifests: dict[str, Manifest] = field(default_factory=dict)
    chunks: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The acting release's epoch; 0 before the first."""
        return self.release.epoch if self.release else 0

    @property
    def champion(self) -> str | None:
        """The version that acts."""
        return self.release.champion if self.release else None

    def manifest(self, version: str) -> Manifest:
        """The manifest of a kept version. Raises ContractError naming those that are kept."""
        if version not in self.manifests:
            kept = ", ".join(self.manifests) or "none"
            raise ContractError(f"there is no model version {version!r}; kept are: {kept}")
        return self.manifests[version]

    def artifact(self, version: str) -> bytes:
        """The model's bytes. Raises ContractError unless they are those that the manifest describes."""
        info = self.manifest(version).artifact
        chunks = [self.chunks.get(artifact_key(version, i), b"") for i in range(info.chunks)]
        artifact = b"".join(chunks)
        if len(artifact) != info.length or hashlib.sha256(artifact).hexdigest() != info.sha256:
            raise ContractError(f"model {version}: the artifact on the topic is not the one of its manifest")
        return artifact


def read_models(bootstrap: str, pipeline: Pipeline) -> PublishedModels:
    """Read the pipeline's models topic to its end, committed records only.

    Raises BrokerError, or ContractError for a manifest or release that cannot be read.
    """
    found = PublishedModels()
    manifests = f"manifest/{pipeline.name}/".encode()
    for message in read_to_end(bootstrap, pipeline.topics.models):
        key, value = message.key() or b"", message.value()
        try:
            if key == release_key(pipeline.name):
                found.release = msgspec.json.decode(value, type=Release) if value else None
            elif key.startswith(manifests):
                _keep(found, key.removeprefix(manifests).decode(), value)
            elif key.startswith(f"artifact/{pipeline.name}-".encode()):
                found.chunks[key] = value or b""
        except msgspec.MsgspecError as error:
            raise ContractError(f"{pipeline.topics.models}@{message.offset()}: {error}") from error
    return found


def _keep(found: PublishedModels, version: str, value: bytes | None) -> None:
    found.manifests.pop(version, None)
    if value:
        found.manifests[version] = msgspec.json.decode(value, type=Manifest)
