"""Does the refit say what the fit said that was judged? It is released on that fit's word.

Two distances of their scores on the validated and judged events:

* the mean absolute difference in parts of the mean score, which sees a refit whose level moved;
* their correlation, which sees one that suspects others. That of the scores, not of the ranks: nearly all
  events are legitimate, how they stand among themselves is noise, and it would drown what the few at the top
  say (0.17 to 0.76 by ranks where the scores had above 0.9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.contract import Check

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.gate import AgreementChecks

NAME = "refit_disagrees"
_LEAST = 1e-12


def agree(
    judged: NDArray[np.float64], refit: NDArray[np.float64], spec: AgreementChecks
) -> tuple[list[Check], dict[str, float]]:
    """Compare both fits' scores of the same events; the checks, and the distances."""
    distance = float(np.mean(np.abs(judged - refit)) / max(float(np.mean(judged)), _LEAST))
    correlation = correlated(judged, refit)
    checks = [
        Check(
            NAME,
            distance <= spec.difference,
            f"the scores of the refit are {distance:.2f} times their mean from those of the fit that was "
            f"judged, on average; training.gate.agreement.difference allows {spec.difference:g}",
        ),
        Check(
            NAME,
            correlation >= spec.correlation,
            f"the refit's scores correlate by {correlation:.3f} with those of the fit that was judged, "
            f"training.gate.agreement.correlation asks for {spec.correlation:g}",
        ),
    ]
    return checks, {"refit_difference": distance, "refit_correlation": correlation}


def correlated(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Pearson's correlation; 1.0 where neither varies, 0.0 where only one does."""
    first, second = ours - np.mean(ours), theirs - np.mean(theirs)
    size = float(np.sqrt(np.sum(first**2) * np.sum(second**2)))
    if size == 0:
        return float(not first.any() and not second.any())
    return float(np.sum(first * second) / size)
