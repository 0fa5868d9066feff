"""Does the refit say what the fit said that was judged? It is released on that fit's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.contract import Check

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.gate import AgreementChecks

NAME = "refit_disagrees"


def agree(
    judged: NDArray[np.float64], refit: NDArray[np.float64], spec: AgreementChecks
) -> tuple[list[Check], dict[str, float]]:
    """Compare both fits' scores of the same events; the checks, and the distances."""
    distance = float(np.mean(np.abs(judged - refit)))
    correlation = rank_correlation(judged, refit)
    checks = [
        Check(
            NAME,
            distance <= spec.mean_difference,
            f"the scores of the refit are {distance:.4f} from those of the fit that was judged, on average; "
            f"training.gate.agreement.mean_difference allows {spec.mean_difference:g}",
        ),
        Check(
            NAME,
            correlation >= spec.rank_correlation,
            f"the refit and the fit that was judged rank events with a correlation of {correlation:.3f}, "
            f"training.gate.agreement.rank_correlation asks for {spec.rank_correlation:g}",
        ),
    ]
    return checks, {"refit_mean_difference": distance, "refit_rank_correlation": correlation}


def rank_correlation(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Spearman's; what ties shares its ranks. 1.0 where neither varies, 0.0 where only one does."""
    first, second = (_centred_ranks(each) for each in (ours, theirs))
    size = float(np.sqrt(np.sum(first**2) * np.sum(second**2)))
    if size == 0:
        return float(not first.any() and not second.any())
    return float(np.sum(first * second) / size)


def _centred_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: NDArray[np.float64] = (ends - (counts - 1) / 2)[place]
    return ranks - np.mean(ranks)
