"""A decision's score computed once more, by the engine that was recorded, and its exact reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.explain.reproduction import SCORELESS, Reproduced
from feature_store.errors import ContractError, SluicegateError
from streams.models.champion import Champion
from streams.models.exact import ExactModel
from streams.models.named import named_engine
from streams.reasons import ReasonTeller

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.messages import Manifest
    from training.keeper.evidence import Evidence


def reproduced(
    pipeline: Pipeline, found: Evidence, version: Callable[[Evidence], tuple[Manifest, bytes]]
) -> Reproduced:
    """Compute the score of a stored event once more.

    ``version`` gives manifest and artifact of the model that scored it, or raises SluicegateError.
    """
    scored = found.scored
    if scored.model is None or scored.engine is None or scored.margin is None:
        return Reproduced(None, SCORELESS)
    try:
        manifest, artifact = version(found)
        vector = _vector(found, manifest)
        engine = named_engine(scored.engine, manifest, artifact)
        margins = engine.margins(vector)
        scores = Champion(manifest, engine, list(range(vector.shape[1]))).scores(margins)
        exact = ExactModel(manifest, artifact)
        base, contributions = exact.attribute(vector)
    except SluicegateError as error:
        return Reproduced(None, str(error))
    margin, score = float(margins[0]), float(scores[0])
    return Reproduced(
        equal=(margin, score) == (scored.margin, scored.score),
        margin=margin,
        score=score,
        base=float(base[0]),
        reasons=ReasonTeller(pipeline).tell(exact.features, vector, contributions, "treeshap")[0],
    )


def _vector(found: Evidence, manifest: Manifest) -> Matrix:
    """The row that the model saw. Raises ContractError where what is stored is not what it was fitted on."""
    for feature in manifest.features:
        stored = found.hashes.get(feature.name)
        if stored != feature.hash:
            raise ContractError(
                f"model {manifest.version} was fitted on the definition {feature.hash} of {feature.name!r}; "
                f"what is stored was computed by {stored or 'one that is not known any more'}"
            )
    values = [found.features.get(feature.name) for feature in manifest.features]
    return np.array([[np.nan if value is None else value for value in values]], np.float64)
