"""Can the labels be meant so? Asked of the champion, which knew fraud when it was released.

Labels that are wrong throughout (a column swapped, a code list turned round, a join gone astray) fool every
other check: the challenger learns them, finds them again on the judged stretch, and beats a champion that
knows the truth. What gives them away:

1. **Too much fraud**: most events are.
2. **A jump** in the share of fraud since the champion was judged, beyond what luck explains.
3. **The champion upside down**: it surely ranks what is called fraud below what is not. Fraud that changed
   brings a champion down towards a coin; only labels turn it over.
4. **The champion collapsed**: surely below a small part of the average precision it was released with.

The last may be true: fraud may have changed so. No data can tell then, so a person says it, for one run:
``sluicegate train --trust-data``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.contract import Check

if TYPE_CHECKING:
    from feature_store.declaration.gate import LabelChecks
    from streams.messages import Manifest
    from training.gate.judgement import Judgement

NAME = "labels_suspect"
_COIN = 0.5
_SURELY = 2.0
"""Standard errors."""
TRUST = "if this is the truth, `sluicegate train --trust-data`"


def plausible_share(judged: Judgement, spec: LabelChecks) -> list[Check]:
    """Whether fraud is as rare as it can be, champion or not."""
    if spec.fraud_share is None:
        return []
    return [
        Check(
            NAME,
            judged.prevalence <= spec.fraud_share,
            f"{judged.prevalence:.1%} of the judged events are called fraud; "
            f"training.gate.labels.fraud_share allows {spec.fraud_share:.0%}; {TRUST}",
        )
    ]


def as_the_champion_knew(
    judged: Judgement, champion: Judgement, manifest: Manifest, spec: LabelChecks
) -> list[Check]:
    """Whether the labels agree with what the champion showed when it was released.

    ``champion`` is how the acting model itself ranks the judged stretch, by its scores of then or by its
    artifact, even where it was fitted on it: that flatters it, and these checks are about its fall.
    """
    checks = [_not_inverted(champion)]
    shared = manifest.metrics.get("prevalence"), manifest.metrics.get("frauds")
    if spec.jump is not None and shared[0] and shared[1]:
        checks.append(_no_jump(judged, shared[0], shared[1], spec.jump))
    released_with = manifest.metrics.get("average_precision")
    if spec.collapse is not None and released_with:
        checks.append(_not_collapsed(champion, released_with, spec.collapse))
    return checks


def _not_inverted(champion: Judgement) -> Check:
    return Check(
        NAME,
        champion.roc_auc_high >= _COIN,
        f"the champion ranks judged frauds below legitimate events: its area under the ROC curve is "
        f"{champion.roc_auc:.3f}, surely below {champion.roc_auc_high:.3f}; the labels look turned round; "
        f"{TRUST}",
    )


def _no_jump(judged: Judgement, share: float, frauds: float, most: float) -> Check:
    ratio = judged.prevalence / share
    error = _SURELY * np.sqrt(1 / max(judged.frauds, 1) + 1 / frauds)
    return Check(
        NAME,
        bool(abs(np.log(ratio)) - error <= np.log(most)) if ratio > 0 else False,
        f"the share of fraud is {judged.prevalence:.3%}, and was {share:.3%} when the champion was judged; "
        f"training.gate.labels.jump lets it change {most:g}-fold; {TRUST}",
    )


def _not_collapsed(champion: Judgement, released_with: float, least: float) -> Check:
    return Check(
        NAME,
        champion.average_precision_high >= least * released_with,
        f"the champion's average precision is {champion.average_precision:.3f}, surely below "
        f"{champion.average_precision_high:.3f}, and was {released_with:.3f} when it was released; less than "
        f"{least:g} of that (training.gate.labels.collapse) looks like labels gone wrong; {TRUST}",
    )
