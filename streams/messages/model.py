"""What the models topic carries: manifests and the release record. Artifacts travel as raw chunks.

Keys on the topic: ``artifact/<version>/<i>``, ``manifest/<pipeline>/<version>``, ``release/<pipeline>``.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

CHUNK_BYTES = 524_288
"""The most bytes of an artifact in one record, well below Kafka's default limit of one megabyte."""


class FeatureRef(msgspec.Struct, frozen=True):
    """One column of a model's contract."""

    name: str
    hash: str
    dtype: str = "float64"


class ArtifactInfo(msgspec.Struct, frozen=True):
    """How the artifact is checked before any library sees it."""

    length: int
    sha256: str
    chunks: int

    @classmethod
    def of(cls, artifact: bytes) -> ArtifactInfo:
        """The info of ``artifact``, cut into chunks of ``CHUNK_BYTES``."""
        chunks = -(-len(artifact) // CHUNK_BYTES)
        return cls(len(artifact), hashlib.sha256(artifact).hexdigest(), chunks)


class Calibration(msgspec.Struct, frozen=True):
    """Score = 1 / (1 + exp(-(slope * margin + intercept))): Platt scaling; slope > 0 keeps the order."""

    slope: float = 1.0
    intercept: float = 0.0


class Manifest(msgspec.Struct, frozen=True):
    """Everything about one immutable model version."""

    version: str
    pipeline: str
    family: Literal["lightgbm", "xgboost"]
    features: list[FeatureRef]
    artifact: ArtifactInfo
    calibration: Calibration
    trained_at: str
    fitted_from: str
    fitted_until: str
    metrics: dict[str, float]
    rows: int
    frauds: int


class Release(msgspec.Struct, frozen=True):
    """What acts now. Epochs never go back: a rollback is a new epoch.

    ``previous`` is the version that a rollback returns to; it is kept as long as this record stands.
    """

    epoch: int
    champion: str | None
    released_at: str
    why: str
    shadows: list[str] = []
    previous: str | None = None


def artifact_key(version: str, chunk: int) -> bytes:
    """Key of one chunk."""
    return f"artifact/{version}/{chunk}".encode()


def manifest_key(pipeline: str, version: str) -> bytes:
    """Key of a manifest."""
    return f"manifest/{pipeline}/{version}".encode()


def release_key(pipeline: str) -> bytes:
    """Key of the release record."""
    return f"release/{pipeline}".encode()
