"""The reasons that stand in a decision: of stopped events alone, since nobody asks why one was approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.reasons import ReasonTeller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.messages import Reason
    from streams.models.champion import Champion
    from streams.models.watcher import Acting
    from streams.policies.actions import Mask

MOST = 4
"""How many reasons a decision holds."""

_NONE: list[Reason] = []

Rows = np.ndarray[tuple[int], np.dtype[np.intp]]


class StoppedReasons:
    """Finds them, as ``serving.explanations`` says."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._wanted = pipeline.serving.explanations
        self._teller = ReasonTeller(pipeline)

    def by(
        self, acting: Acting, models: Sequence[str | None], matrix: Matrix, stopped: Mask
    ) -> list[list[Reason]]:
        """The same, each row explained by the one of ``models`` that acted on it: champion or canary."""
        if acting.canary is None:
            return self.of(acting.champion, matrix, np.flatnonzero(stopped))
        canary = np.array([version == acting.canary.version for version in models], np.bool_)
        theirs = self.of(acting.canary.model, matrix, np.flatnonzero(stopped & canary))
        ours = self.of(acting.champion, matrix, np.flatnonzero(stopped & ~canary))
        return [one or other for one, other in zip(ours, theirs, strict=True)]

    def of(self, champion: Champion | None, matrix: Matrix, rows: Rows) -> list[list[Reason]]:
        """One list per row of ``matrix``: the heaviest reasons of ``rows``, those stopped with a score.

        None where the trees of a model cannot be walked here: its library does not tell the paths.
        """
        found = [_NONE] * len(matrix)
        if champion is None or self._wanted == "off" or not len(rows):
            return found
        for row, reasons in zip(rows.tolist(), self._told(champion, matrix, rows), strict=False):
            found[row] = reasons
        return found

    def _told(self, champion: Champion, matrix: Matrix, rows: Rows) -> list[list[Reason]]:
        names = [feature.name for feature in champion.manifest.features]
        values = matrix[rows][:, champion.positions]
        if self._wanted == "inline" and champion.exact is not None:
            exact = champion.exact.attribute(values).contributions
            return self._teller.tell(names, values, exact, "treeshap", MOST)
        paths = champion.contributions(matrix, rows)
        return [] if paths is None else self._teller.tell(names, values, paths, "path", MOST)
