"""From contributions to reasons: the largest first, each with its value and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from feature_store.declaration.texts import FeatureTexts
from streams.messages import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix

Method = Literal["path", "treeshap"]
"""``path``: the change of the expected margin along the path through each tree (Saabas), quick and roughly
right; ``treeshap``: exact Shapley values of the trees."""


class ReasonTeller:
    """Tells the reasons of rows in the words of one pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._texts = FeatureTexts(pipeline)

    def tell(
        self,
        features: Sequence[str],
        values: Matrix,
        contributions: Matrix,
        method: Method,
        most: int | None = None,
    ) -> list[list[Reason]]:
        """The ``most`` heaviest reasons of every row; all of them without a limit.

        ``values`` and ``contributions`` have a column for each of ``features``. What contributes nothing is
        no reason.
        """
        heaviest = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :most]
        weights = np.take_along_axis(contributions, heaviest, axis=1).tolist()
        numbers = np.take_along_axis(values, heaviest, axis=1).tolist()
        return [
            [
                self._reason(features[column], number, weight, method)
                for column, number, weight in zip(*row, strict=True)
                if weight
            ]
            for row in zip(heaviest.tolist(), numbers, weights, strict=True)
        ]

    def _reason(self, feature: str, number: float, weight: float, method: Method) -> Reason:
        value = self._texts.value(feature, number)
        return Reason(feature, value, weight, self._texts.text(feature, value), method)
