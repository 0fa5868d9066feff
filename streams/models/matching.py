"""Whether a model fits the declared features, by its manifest alone: no model library is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import ContractError, MisfitError
from streams.models.calibration import unsound

if TYPE_CHECKING:
    from feature_store.declaration.features import Feature
    from streams.messages import Manifest


def match_features(manifest: Manifest, declared: tuple[Feature, ...]) -> list[int]:
    """Where each of the model's features stands in the declared vector.

    Raises MisfitError naming one that is not declared as the model knew it.
    """
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
    if why := unsound(manifest.calibration):
        raise ContractError(f"model {manifest.version}: {why}")
    return positions
