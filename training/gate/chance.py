"""Better than chance, twice: on the validation slice by the labels of the fit, and on the judged stretch.

The first is what catches labels without meaning: a fit on noise cannot rank noise that it has not seen, but
it may well rank true fraud, because almost any function of the amount does a little. Of 150 fits to shuffled
labels of the handbook's data the second alone let 17 pass, both together none; with true labels they refused
one of 150.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.contract import Check

if TYPE_CHECKING:
    from training.gate.judgement import Judgement

NAME = "no_better_than_chance"
LIFT = 2.0
"""Average precision, in all but 5 % of resamples, must be this many times the share of fraud."""
_COIN = 0.5


def better_than_chance(found: Judgement, where: str) -> list[Check]:
    """Whether this ranking could be luck."""
    return [
        Check(
            NAME,
            found.average_precision_low > LIFT * found.prevalence,
            f"on {where} average precision is {found.average_precision:.3f}, surely above "
            f"{found.average_precision_low:.3f} only; {LIFT:g} times the share of fraud, "
            f"{LIFT * found.prevalence:.3f}, is asked for",
        ),
        Check(
            NAME,
            found.roc_auc_low > _COIN,
            f"on {where} the area under the ROC curve is {found.roc_auc:.3f}, surely above "
            f"{found.roc_auc_low:.3f} only; a coin has 0.5",
        ),
    ]
