"""Decide stored events again: their logged scores, under another policy, by the code that scorers run."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from streams.policies import compile_policy
from streams.scorer.decider import Decider
from streams.scorer.scoring import COLD_START
from training.whatif.stored import numbers, seen_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from streams.models.engine import Vector
    from streams.policies.actions import Mask, Strengths
    from training.whatif.candidate import Candidate


class Redecider:
    """What a candidate would have done; before its control group."""

    def __init__(self, candidate: Candidate) -> None:
        """Compile. Raises PolicyError or ConfigError naming what does not fit the stored events."""
        self._pipeline = candidate.pipeline
        self._decider = Decider(candidate.pipeline)
        self._policy = compile_policy(candidate.pipeline, candidate.document)
        document = candidate.document
        entries = [entry.until for each in document.lists for entry in each.entries]
        self._expires = bool(document.snoozes) or any(until is not None for until in entries)

    def actions(self, batch: pa.RecordBatch) -> tuple[Strengths, Mask]:
        """The action for every event of a batch, and where a deny list had the last word."""
        seen = seen_in(self._pipeline, batch)
        scores, margins = numbers(batch, "score"), numbers(batch, "margin")
        moments = np.asarray(batch.column("decided us").to_numpy(zero_copy_only=False), np.int64)
        nobody = np.asarray([why == COLD_START for why in batch.column("fallback").to_pylist()], np.bool_)
        actions, final = np.zeros(len(scores), np.int8), np.zeros(len(scores), np.bool_)
        for rows in self._stretches(nobody, moments):
            ruled = self._decider.ruled(
                self._policy,
                seen.slice(rows.start, rows.stop - rows.start),
                scores[rows],
                margins[rows],
                int(moments[rows.start]),
                has_champion=not nobody[rows.start],
            )
            actions[rows], final[rows] = ruled.actions, ruled.final
        return actions, final

    def amounts(self, batch: pa.RecordBatch) -> Vector:
        """What is at stake in each event, NaN where nothing is said."""
        return self._decider.amounts(seen_in(self._pipeline, batch))

    def _stretches(self, nobody: Mask, moments: NDArray[np.int64]) -> Iterator[slice]:
        """Neighbours with or without a champion alike and, where something expires, of the same moment."""
        differ = nobody[1:] != nobody[:-1]
        if self._expires:
            differ |= moments[1:] != moments[:-1]
        cuts = [0, *(np.flatnonzero(differ) + 1).tolist(), len(nobody)]
        yield from (slice(first, end) for first, end in pairwise(cuts))
