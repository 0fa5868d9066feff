"""The champion's side of the comparison, never on what the champion was fitted on.

What it is measured by, in this order:

1. **live**: the margins logged when it decided, where it decided nearly all judged events;
2. **artifact**: its artifact run on the logged features, where it was fitted on none of the judged events;
3. **recipe**: its recipe fitted again to what the challenger was fitted on. A release is fitted to everything
   matured, so this is the usual case for a stretch that it did not decide itself;
4. **later**: its artifact, on the judged events that are newer than its fit; for a model without a recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
    from streams.models.champion import Champion
    from training.contract import ChampionRef
    from training.dataset.events import LabelledEvents

LIVE_SHARE = 0.95
"""Of the judged events and of their frauds: what a champion must have decided to be measured by that."""

Source = Literal["live", "artifact", "recipe", "later"]

WORDS: dict[Source, str] = {
    "live": "by the scores logged when it decided",
    "artifact": "by the scores of its artifact on the same events",
    "recipe": "by its recipe, fitted again to what the challenger was fitted on",
    "later": "by the scores of its artifact on the judged events that are newer than its fit",
}


@dataclass(frozen=True)
class Acting:
    """The champion's files, read and checked to be a manifest and bytes; no library has seen them."""

    manifest: Manifest
    artifact: bytes

    @classmethod
    def read(cls, folder: Path, champion: ChampionRef) -> Acting:
        """Read what ``champion`` names in a run folder. Raises ContractError."""
        manifest = folder / champion.manifest
        try:
            decoded = msgspec.json.decode(_bytes(manifest), type=Manifest)
        except msgspec.MsgspecError as error:
            raise ContractError(f"{manifest}: not a manifest: {error}") from error
        return cls(decoded, _bytes(folder / champion.artifact))

    @property
    def version(self) -> str:
        """The champion's version."""
        return self.manifest.version

    def load(self, declared: tuple[Feature, ...]) -> Champion:
        """The model. Raises ContractError for damage, MisfitError for features that are not declared now."""
        return load_champion(self.manifest, self.artifact, declared)


@dataclass(frozen=True)
class ChampionSide:
    """The champion's margins on judged events that it may be judged on.

    ``compared`` marks these events; ``margin`` has one value for each of them.
    """

    version: str
    source: Source
    compared: NDArray[np.bool_]
    margin: NDArray[np.float64]


def live_side(champion: Acting, judged: LabelledEvents) -> ChampionSide | None:
    """By what it said at the time; None where it did not decide nearly everything."""
    decided = judged.model.equals(champion.version) & ~np.isnan(judged.margin)
    enough = decided.sum() >= LIVE_SHARE * len(judged)
    if not (enough and judged.fraud[decided].sum() >= LIVE_SHARE * judged.frauds):
        return None
    return ChampionSide(champion.version, "live", decided, judged.margin[decided])


def artifact_side(champion: Acting, model: Champion, judged: LabelledEvents) -> ChampionSide | None:
    """By its artifact; None where it was fitted on some of the judged events."""
    later = judged.time > from_text(champion.manifest.fitted_until)
    if not np.all(later):
        return None
    return ChampionSide(champion.version, "artifact", later, model.margins(judged.features))


def later_side(champion: Acting, model: Champion, judged: LabelledEvents) -> ChampionSide:
    """By its artifact on what is newer than its fit, however little that is."""
    later = judged.time > from_text(champion.manifest.fitted_until)
    return ChampionSide(champion.version, "later", later, model.margins(judged.features[later]))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ContractError(f"{path}: cannot be read: {error.strerror}") from error
