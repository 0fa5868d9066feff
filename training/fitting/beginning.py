"""What a fit begins with: nothing, or the champion's trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feature_store.units import from_text
from streams.messages import ArtifactInfo
from training.fitting.algorithms import MOST_ROUNDS

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest
    from training.dataset.events import LabelledEvents

NIGHTLY_ROUNDS = 200
"""The most rounds that one fit adds to a champion's."""


@dataclass(frozen=True)
class Beginning:
    """``artifact`` is the champion's, where the fit begins with it; ``why_not`` says why it does not."""

    artifact: bytes | None = None
    version: str | None = None
    why_not: str | None = None


def begin(
    pipeline: Pipeline, champion: Manifest | None, artifact: bytes | None, *, on_disk: bool = False
) -> Beginning:
    """Begin with the champion's trees where that is asked for and they fit what is declared now.

    Not with events ``on_disk``: there the libraries know values by their bins only, and the champion's
    thresholds lie within them.
    """
    if not pipeline.training.warm_start:
        return Beginning()
    if champion is None or artifact is None:
        return Beginning(why_not="there is no champion")
    if on_disk:
        return Beginning(why_not="there are more events than training.sampling.rows_in_memory")
    if why := _misfit(pipeline, champion, artifact):
        return Beginning(why_not=f"the champion {champion.version} {why}")
    return Beginning(artifact, champion.version)


def known_before(champion: Manifest | None, validation: LabelledEvents) -> float:
    """The share of the validation slice that the champion was fitted on."""
    if champion is None or len(validation) == 0:
        return 0.0
    return float(np.mean(validation.time <= from_text(champion.fitted_until)))


def notes_of(beginning: Beginning, known: float) -> list[str]:
    """What a reader must know: why it began with nothing, or what ``known_before`` means for it."""
    if beginning.why_not:
        return [f"not begun with the champion's trees: {beginning.why_not}"]
    if known == 0:
        return []
    told = (
        f"begun with the trees of {beginning.version}, which were fitted on {known:.0%} of the "
        "validation slice: where to stop and how to calibrate was found on events that they know, and "
        "figures on that slice are too good; the judged events are new to them"
    )
    return [told]


def most_new_rounds(begun: int, wanted: int) -> int:
    """How many rounds a fit may add to ``begun``, so that the nights do not add up without end."""
    return min(wanted, NIGHTLY_ROUNDS, MOST_ROUNDS - begun) if begun else wanted


def _misfit(pipeline: Pipeline, champion: Manifest, artifact: bytes) -> str | None:
    spec, recipe = pipeline.training, champion.recipe
    if ArtifactInfo.of(artifact) != champion.artifact:
        return "is damaged: its artifact is not its manifest's"
    if champion.family != spec.algorithm:
        return f"is of {champion.family}, and training.algorithm is {spec.algorithm}"
    theirs = [(feature.name, feature.hash) for feature in champion.features]
    ours = [(feature.name, feature.hash) for feature in pipeline.feature_vector]
    if theirs != ours:
        changed = sorted({name for name, _ in set(theirs) ^ set(ours)}) or ["their order"]
        return f"reads other features than are declared now: {', '.join(changed)}"
    if recipe is None:
        return "does not say how it was fitted"
    if recipe.monotone != spec.monotone or sorted(recipe.categorical) != sorted(spec.categorical):
        return "was fitted under another training.monotone or training.categorical"
    if recipe.rounds >= MOST_ROUNDS:
        return f"has {recipe.rounds:,} rounds already, and {MOST_ROUNDS:,} are the most"
    return None
