"""A model that may act: its artifact checked, its features matched with what is declared, warmed up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feature_store.errors import ContractError, MisfitError
from streams.models.engine import Engine, Vector, load_engine

if TYPE_CHECKING:
    from feature_store.declaration.features import Feature
    from feature_store.expressions import Matrix
    from streams.messages import Manifest

_WARM_UP = (1, 64, 1_000)


@dataclass(frozen=True)
class Champion:
    """A loaded model version with the columns of the feature matrix that it reads."""

    manifest: Manifest
    engine: Engine
    positions: list[int]

    @property
    def version(self) -> str:
        """The model's version."""
        return self.manifest.version

    def margins(self, matrix: Matrix) -> Vector:
        """Raw log-odds for rows of the whole declared vector."""
        return self.engine.margins(np.ascontiguousarray(matrix[:, self.positions]))

    def scores(self, margins: Vector) -> Vector:
        """Calibrated probabilities."""
        calibration = self.manifest.calibration
        logits = np.clip(calibration.slope * margins + calibration.intercept, -700, 700)
        return np.asarray(1.0 / (1.0 + np.exp(-logits)))


def load_champion(manifest: Manifest, artifact: bytes, declared: tuple[Feature, ...]) -> Champion:
    """Check, load and warm up. Raises ContractError saying what does not fit, MisfitError for features."""
    if len(artifact) != manifest.artifact.length:
        raise ContractError(
            f"model {manifest.version}: {len(artifact)} bytes, expected {manifest.artifact.length}"
        )
    if hashlib.sha256(artifact).hexdigest() != manifest.artifact.sha256:
        raise ContractError(f"model {manifest.version}: the artifact's SHA-256 is not the manifest's")
    positions = _match(manifest, declared)
    engine = load_engine(manifest.family, artifact)
    if engine.features != len(positions):
        raise ContractError(
            f"model {manifest.version}: the artifact has {engine.features} features, "
            f"its manifest {len(positions)}"
        )
    champion = Champion(manifest, engine, positions)
    for rows in _WARM_UP:
        margins = champion.margins(np.zeros((rows, len(declared))))
        if not np.isfinite(margins).all():
            raise ContractError(f"model {manifest.version}: gives {margins[0]} for a row of zeros")
    return champion


def _match(manifest: Manifest, declared: tuple[Feature, ...]) -> list[int]:
    known = {feature.name: (position, feature.hash) for position, feature in enumerate(declared)}
    positions = []
    for feature in manifest.features:
        position, digest = known.get(feature.name, (-1, ""))
        if position < 0:
            raise MisfitError(
                f"model {manifest.version} needs the feature {feature.name!r}, which is not declared"
            )
        if digest != feature.hash:
            raise MisfitError(
                f"model {manifest.version} was fitted on another definition of {feature.name!r} "
                f"({feature.hash}, declared is {digest})"
            )
        positions.append(position)
    if manifest.calibration.slope <= 0:
        raise ContractError(f"model {manifest.version}: a calibration slope must be above zero")
    return positions
