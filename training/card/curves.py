"""The plots of a card: both sides on the same events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.card.drift import feature_drift
from training.card.html import figure
from training.card.importance import gains, mean_contributions
from training.card.money import by_threshold
from training.card.plots import MUTED, OURS, THEIRS, THIRD, Line, bars, lines, reliability
from training.evaluation.operating import cheapest, from_sums, summands
from training.evaluation.ranking import Ranking

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.decision import Costs
    from training.card.material import Material
    from training.evaluation.measured import Figure, Measured
    from training.evaluation.ranking import Curve
    from training.evaluation.scored import Scored

    Floats = NDArray[np.float64]

_FEATURES = 15
"""As many features as a plot names."""
_SCORE_BINS = 40
_MUCH_DRIFT = (0.1, 0.25)


def curves(material: Material, ours: Measured, theirs: Measured | None) -> str:
    """How the scores rank, what they mean, where they lie and what they cost."""
    sides = _sides(material)
    ranked = [
        (label, colour, Ranking(scored.fraud, scored.score).curve(scored.weight))
        for label, colour, scored in sides
    ]
    parts = [_precision_recall(ranked), _roc(ranked)]
    measured = [
        (label, colour, found)
        for (label, colour, _), found in zip(sides, (ours, theirs), strict=False)
        if found
    ]
    parts.append(_reliability(measured))
    parts.append(_distribution(sides, material))
    parts.append(_money(material.ours, material.pipeline.decision.costs))
    return "\n".join(parts)


def inside(material: Material) -> str:
    """What the model looks at, and how far that has moved since it was fitted."""
    names = [feature.name for feature in material.model.manifest.features]
    return "\n".join([_importances(material, names), _drift(material, names)])


def _sides(material: Material) -> list[tuple[str, str, Scored]]:
    found = [("this model", OURS, material.ours)]
    side, theirs = material.comparable, material.theirs
    if side is not None and theirs is not None:
        found.append((f"champion {side.version}", THEIRS, theirs))
    return found


def _precision_recall(ranked: list[tuple[str, str, Curve]]) -> str:
    drawn, said = [], []
    for label, colour, curve in ranked:
        recall, precision = curve.hits / curve.hits[-1], curve.hits / np.maximum(curve.flagged, 1e-300)
        drawn.append(Line(np.append(0.0, recall), np.append(precision[0], precision), label, colour))
        said.append(f"{label} {curve.average_precision():.3f}")
    found = f"Average precision: {', '.join(said)}."
    alt = f"Precision against recall. {found}"
    caption = "Of what is flagged, how much is fraud, against how much of the fraud is flagged."
    svg = lines("precision-recall", alt, drawn, ("recall", "precision"), limits=(-0.02, 1.02))
    return figure("Precision and recall", f"{caption} {found}", svg)


def _roc(ranked: list[tuple[str, str, Curve]]) -> str:
    drawn, said = [], []
    for label, colour, curve in ranked:
        alarms = curve.flagged - curve.hits
        rate, recall = alarms / (alarms[-1] or 1.0), curve.hits / curve.hits[-1]
        drawn.append(Line(np.append(0.0, rate), np.append(0.0, recall), label, colour))
        said.append(f"{label} {curve.roc_auc():.3f}")
    drawn.append(Line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "chance", MUTED, dashed=True))
    found = f"Area under it: {', '.join(said)}."
    alt = f"ROC curve: share of fraud flagged against share of legitimate events flagged. {found}"
    svg = lines("roc", alt, drawn, ("legitimate events flagged", "fraud flagged"), limits=(-0.02, 1.02))
    return figure("ROC", f"How much of the fraud is flagged, against how much of the rest. {found}", svg)


def _reliability(measured: list[tuple[str, str, Measured]]) -> str:
    tables = [
        (label, colour, np.array([[b.score, *_bounds(b.fraud)] for b in found.reliability]).reshape(-1, 4))
        for label, colour, found in measured
    ]
    errors = [
        f"{label} {found.calibration_error.value:.4f}"
        for label, _, found in measured
        if found.calibration_error.value is not None
    ]
    told = f"Mean distance from the line: {', '.join(errors)}."
    alt = f"Share of fraud against mean score, by tenths of the events. {told}"
    caption = (
        "Events in ten parts from the mildest to the highest scores; on the line, a score is what it says."
    )
    return figure("Calibration", f"{caption} {told}", reliability("reliability", alt, tables))


def _bounds(found: Figure) -> tuple[float, float, float]:
    middle = found.value or 0.0
    return middle, middle if found.low is None else found.low, middle if found.high is None else found.high


def _distribution(sides: list[tuple[str, str, Scored]], material: Material) -> str:
    least = max(min(float(np.min(scored.score)) for _, _, scored in sides), 1e-7)
    edges = np.geomspace(least, 1.0, _SCORE_BINS + 1)
    middle = np.sqrt(edges[1:] * edges[:-1])
    drawn = []
    for label, colour, scored in sides:
        counts, _ = np.histogram(np.clip(scored.score, least, 1.0), edges, weights=scored.weight)
        drawn.append(Line(middle, counts / scored.weight.sum(), label, colour, steps=True))
    fraud = material.ours.fraud
    counts, _ = np.histogram(
        np.clip(material.ours.score[fraud], least, 1.0), edges, weights=material.ours.weight[fraud]
    )
    drawn.append(Line(middle, counts / (counts.sum() or 1.0), "this model, frauds only", THIRD, steps=True))
    alt = "Share of events by score, on a logarithmic axis; frauds apart."
    svg = lines("scores", alt, drawn, ("score", "share of events"), log_x=True)
    return figure("Where the scores lie", "Each line adds up to one.", svg)


def _money(scored: Scored, costs: Costs) -> str:
    found = by_threshold(scored, costs)
    best = from_sums((scored.weight @ summands(scored, cheapest(scored, costs), costs))[None, :])
    lost, nothing = float(best["lost"][0]), float(best["approving_all"][0])
    drawn = [
        Line(np.maximum(found.threshold, 1e-7), found.reviewing, "review from here on", OURS),
        Line(np.maximum(found.threshold, 1e-7), found.declining, "decline from here on", THEIRS),
    ]
    ends = np.array([max(float(found.threshold[0]), 1e-7), 1.0])
    drawn.append(Line(ends, np.full(2, lost), "least expected cost, event by event", THIRD, dashed=True))
    drawn.append(Line(ends, np.full(2, nothing), "approve everything", MUTED, dashed=True))
    highest = max(nothing, lost) * 1.6 or 1.0
    cheapest_review = found.threshold[np.argmin(found.reviewing)]
    words = (
        f"Approving everything would have cost {nothing:,.0f}; the actions of least expected cost, as the "
        f"scorer takes them, {lost:,.0f}; the best single threshold for review, {cheapest_review:.3g}, "
        f"{found.reviewing.min():,.0f}."
    )
    svg = lines(
        "money", f"Money lost by threshold. {words}", drawn, ("threshold on the score", "money lost"),
        log_x=True, limits=(0.0, highest),
    )  # fmt: skip
    return figure(
        "Money by threshold", f"{words} In the amount's currency unit, over the judged stretch.", svg
    )


def _importances(material: Material, names: list[str]) -> str:
    gain = gains(material.model.manifest.family, material.artifact, names)
    mean = mean_contributions(material.model, material.split.judged.features)
    ranked = np.argsort(-(gain if mean is None else mean), kind="stable")[:_FEATURES]
    groups = [("share of gain in the fit", OURS, gain[ranked])]
    caption = "Share of what splits on it gained while fitting."
    if mean is not None:
        share = mean / (mean.sum() or 1.0)
        groups.append(("share of mean |contribution|", THIRD, share[ranked]))
        caption = (
            "Share of what splits on it gained while fitting, and of the mean size of its contributions to "
            "the margin of judged events, by path attribution."
        )
    first = ", ".join(names[at] for at in ranked[:3])
    alt = f"Importance by feature; the largest: {first}."
    svg = bars("importances", alt, [names[at] for at in ranked], groups, "share")
    return figure("Importance", f"{caption} {_of_all(names)}", svg)


def _drift(material: Material, names: list[str]) -> str:
    moved = feature_drift(material.split.fit.features, material.split.judged.features)
    ranked = np.argsort(-moved, kind="stable")[:_FEATURES]
    first = ", ".join(f"{names[at]} {moved[at]:.2f}" for at in ranked[:3])
    alt = f"Population stability index by feature; the largest: {first}."
    caption = (
        "Population stability index of each feature between the fitted and the judged stretch; by custom, "
        "0.1 is some and 0.25 is much (dashed)."
    )
    marks = [mark for mark in _MUCH_DRIFT if mark < 1.5 * max(float(moved.max()), 0.1)]
    svg = bars("drift", alt, [names[at] for at in ranked], [("", OURS, moved[ranked])], "index", marks)
    return figure("Drift since the fit", f"{caption} {_of_all(names)}", svg)


def _of_all(names: list[str]) -> str:
    return f"The first {_FEATURES} of {len(names)} features." if len(names) > _FEATURES else ""
