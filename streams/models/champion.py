"""A model that may act: its artifact checked, its features matched with what is declared, warmed up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import structlog

from feature_store.errors import ContractError
from feature_store.memory_map import let_go
from streams.models.calibration import compiled, probabilities
from streams.models.choice import Choice, choose
from streams.models.engine import Engine, Vector, native_engine
from streams.models.exact import ExactModel
from streams.models.matching import match_features
from streams.models.packing import pack_here, pack_in_child
from streams.models.trees.splits import UnpackableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.features import Feature
    from feature_store.declaration.serving import Device
    from feature_store.expressions import Matrix
    from streams.messages import Manifest
    from streams.models.trees.forest import Packed
    from streams.models.trees.walk import PackedEngine

_log = structlog.get_logger()
_WARM_UP = (1, 64, 1_000)
_STEP = 262_144


@dataclass(frozen=True)
class Champion:
    """A loaded model version with the columns of the feature matrix that it reads."""

    manifest: Manifest
    engine: Engine
    positions: list[int]
    packed: PackedEngine | None = None
    """The packed walk, where it equals the library; it knows the paths, whichever engine scores."""
    fallback: str | None = None
    """Why there is no packed walk, so that the library itself scores."""
    exact: ExactModel | None = None
    """Exact reasons, where they were asked for."""

    @property
    def version(self) -> str:
        """The model's version."""
        return self.manifest.version

    @property
    def base(self) -> float | None:
        """The margin before any feature is asked; None where there is no packed walk."""
        return self.packed.base if self.packed else None

    def margins(self, matrix: Matrix) -> Vector:
        """Raw log-odds for rows of the whole declared vector; in steps, where they may be a memory map."""
        if len(matrix) <= _STEP:
            return self.engine.margins(self._own(matrix))
        found = np.empty(len(matrix))
        for at in range(0, len(matrix), _STEP):
            found[at : at + _STEP] = self.engine.margins(self._own(matrix[at : at + _STEP]))
            let_go(matrix)
        return found

    @cached_property
    def _log_odds(self) -> Callable[[Vector], Vector]:
        return compiled(self.manifest.calibration)

    def scores(self, margins: Vector) -> Vector:
        """Calibrated probabilities."""
        return probabilities(self._log_odds(margins))

    def contributions(self, matrix: Matrix, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Matrix | None:
        """Path attribution (Saabas) of some rows, in log-odds, a column for each of ``manifest.features``.

        With ``base`` a row's contributions add up to its margin on the CPU. None where the library itself
        scores (``fallback``): it does not say which paths it took.
        """
        return self.packed.contributions(self._own(matrix[rows])) if self.packed else None

    def _own(self, matrix: Matrix) -> Matrix:
        return matrix.take(self.positions, axis=1)


def load_champion(
    manifest: Manifest,
    artifact: bytes,
    declared: tuple[Feature, ...],
    *,
    device: Device = "cpu",
    batch: int = 512,
    outside: bool = False,
    exact: bool = False,
) -> Champion:
    """Check, load, choose the engine and warm up.

    ``outside``: the artifact comes from elsewhere, and is tried in a child process first. ``batch`` is how
    many rows a call will mostly have, for `device: auto`. ``exact``: it will be asked for exact reasons.
    Raises ContractError saying what does not fit, MisfitError for features.
    """
    if len(artifact) != manifest.artifact.length:
        raise ContractError(
            f"model {manifest.version}: {len(artifact)} bytes, expected {manifest.artifact.length}"
        )
    if hashlib.sha256(artifact).hexdigest() != manifest.artifact.sha256:
        raise ContractError(f"model {manifest.version}: the artifact's SHA-256 is not the manifest's")
    positions = match_features(manifest, declared)
    try:
        choice = _choice(manifest.family, artifact, device, batch, outside=outside)
    except ContractError as error:
        raise ContractError(f"model {manifest.version}: {error}") from error
    if choice.engine.features != len(positions):
        raise ContractError(
            f"model {manifest.version}: the artifact has {choice.engine.features} features, "
            f"its manifest {len(positions)}"
        )
    _log.info(
        "engine_chosen",
        model=manifest.version,
        engine=choice.engine.name,
        why=choice.why,
        us_per_row=choice.us_per_row,
    )
    explains = _exact(manifest, artifact) if exact else None
    champion = Champion(manifest, choice.engine, positions, choice.packed, choice.fallback, explains)
    for rows in _WARM_UP:
        margins = champion.margins(np.zeros((rows, len(declared))))
        if not np.isfinite(margins).all():
            raise ContractError(f"model {manifest.version}: gives {margins[0]} for a row of zeros")
    return champion


def _exact(manifest: Manifest, artifact: bytes) -> ExactModel | None:
    """None for a sound model whose library tells no exact reasons: it may act, with its paths or none."""
    try:
        return ExactModel(manifest, artifact)
    except ContractError as error:
        _log.warning("no_exact_reasons", model=manifest.version, why=str(error))
        return None


def _choice(family: str, artifact: bytes, device: Device, batch: int, *, outside: bool) -> Choice:
    packed: Packed | str
    try:
        packed = pack_in_child(family, artifact) if outside else ""
    except UnpackableError as error:
        packed, outside = str(error), True
    native = native_engine(family, artifact)
    if not outside:
        try:
            packed = pack_here(native, artifact)
        except UnpackableError as error:
            packed = str(error)
    return choose(native, packed, artifact, device, batch)
