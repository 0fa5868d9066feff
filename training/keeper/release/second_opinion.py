"""What another version would have said about the same events: their features are in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import structlog

from feature_store.errors import ContractError
from streams.models.champion import load_champion
from training.keeper.release.live import newest_decided
from training.score_bins import shift

if TYPE_CHECKING:
    from training.keeper.parts import Parts
    from training.keeper.release.live import Acted

log = structlog.get_logger()

_MOST = 5_000
"""Events that are scored again."""


class SecondOpinion:
    """Scores stored events by a kept version."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def shifted(self, version: str, acted: Acted) -> bool:
        """Whether the scores of ``version`` on the newest events are as far off from its own judged ones.

        False where that cannot be told: nobody knows better than the alarm then.
        """
        limit = self._parts.pipeline.training.release.rollback.score_shift
        models = self._parts.publisher.read()
        manifest = models.manifests.get(version)
        if limit is None or manifest is None or manifest.score_bins is None:
            return False
        declared = self._parts.pipeline.feature_vector
        with self._parts.store.cursor() as cursor:
            rows = newest_decided(cursor, self._parts.pipeline, acted, features=True).slice(0, _MOST)
        columns = [rows[each.name].to_numpy() for each in declared]
        try:
            model = load_champion(manifest, models.artifact(version), declared, outside=True)
        except ContractError as error:
            log.warning("no_second_opinion", model=version, why=str(error))
            return False
        scores = model.scores(model.margins(np.column_stack(columns).astype(np.float64)))
        return shift(manifest.score_bins, scores) > limit
