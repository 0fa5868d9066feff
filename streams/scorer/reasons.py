"""The reasons that stand in a decision: of stopped events alone, since nobody asks why one was approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.reasons import ReasonTeller

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.messages import Reason
    from streams.models.champion import Champion

MOST = 4
"""How many reasons a decision holds."""

Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


class StoppedReasons:
    """Finds them, as ``serving.explanations`` says."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._wanted = pipeline.serving.explanations
        self._teller = ReasonTeller(pipeline)

    def of(self, champion: Champion | None, matrix: Matrix, rows: Rows) -> list[list[Reason]]:
        """One list per row of ``matrix``: the heaviest reasons of ``rows``, those stopped with a score."""
        found: list[list[Reason]] = [[] for _ in range(len(matrix))]
        if champion is None or self._wanted == "off" or not len(rows):
            return found
        names = [feature.name for feature in champion.manifest.features]
        values = matrix[rows][:, champion.positions]
        contributions = champion.contributions(matrix, rows)
        if contributions is None:
            return found
        told = self._teller.tell(names, values, contributions, "path", MOST)
        for row, reasons in zip(rows.tolist(), told, strict=True):
            found[row] = reasons
        return found
