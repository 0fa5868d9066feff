"""The champion's side of the comparison, never on what the champion was fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_store.errors import ContractError
from feature_store.units import from_text
from streams.messages import Manifest
from streams.models.champion import load_champion

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from feature_store.declaration.features import Feature
    from training.contract import ChampionRef
    from training.dataset.events import LabelledEvents


@dataclass(frozen=True)
class ChampionSide:
    """The champion's margins on the judged events that it may be judged on.

    ``fair`` marks these events; ``margin`` has one value for each of them. ``live`` says that the margins are
    the ones logged when it decided; otherwise its artifact was run on the logged features.
    """

    version: str
    fair: NDArray[np.bool_]
    margin: NDArray[np.float64]
    live: bool


def champion_side(
    folder: Path, champion: ChampionRef, judged: LabelledEvents, declared: tuple[Feature, ...]
) -> ChampionSide:
    """Measure by what it said at the time where it decided every judged event, else by its artifact.

    Raises ContractError when its files are damaged, MisfitError when its features are not declared any more:
    no worker can run it then, and it has nothing to say about events that it did not decide.
    """
    if np.all(judged.model.equals(champion.version) & ~np.isnan(judged.margin)):
        return ChampionSide(champion.version, np.ones(len(judged), bool), judged.margin, live=True)
    manifest = _manifest(folder / champion.manifest)
    artifact = _read(folder / champion.artifact)
    fair = judged.time > from_text(manifest.fitted_until)
    margin = load_champion(manifest, artifact, declared).margins(judged.features[fair])
    return ChampionSide(champion.version, fair, margin, live=False)


def _manifest(path: Path) -> Manifest:
    try:
        return msgspec.json.decode(_read(path), type=Manifest)
    except msgspec.MsgspecError as error:
        raise ContractError(f"{path}: not a manifest: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ContractError(f"{path}: cannot be read: {error.strerror}") from error
