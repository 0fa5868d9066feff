"""The tables and large figures of a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.card.html import NOTHING, number, paragraph, table, tile, with_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.card.material import Material
    from training.evaluation.measured import Figure, Figures, Measured

_SIZES = (
    ("trees", "trees", 0),
    ("nodes", "nodes", 0),
    ("bytes of the artifact", "bytes", 0),
    ("microseconds a row, packed walk on one core", "us_per_row", 2),
    ("log loss, validation slice", "log_loss", 5),
    ("average precision, validation slice", "average_precision", 4),
)


def tiles(ours: Measured, theirs: Measured | None) -> str:
    """The figures that are looked at first."""
    found = ours.overall
    others: tuple[Figure | None, ...] = (None, None, None)
    if theirs is not None:
        others = (theirs.overall.average_precision, theirs.overall.roc_auc, theirs.card_precision.precision)
    own = (found.average_precision, found.roc_auc, ours.card_precision.precision)
    names = ("average precision", "ROC AUC", f"card precision@{ours.card_precision.k}")
    shown = [
        tile(name, number(mine.value), f"champion {number(other.value)}" if other else "")
        for name, mine, other in zip(names, own, others, strict=True)
    ]
    shown.append(tile("money saved", number(found.money.saved.value), "against approving everything"))
    shown.append(tile("frauds judged on", f"{found.frauds:,}", f"among {found.events:,} events"))
    if (capacity := ours.at_capacity) is not None:
        shown.append(
            tile("precision in review", number(capacity.precision.value), f"{capacity.per_day} a day")
        )
    return f'<div class="figures">{"".join(shown)}</div>'


def measures(material: Material, ours: Measured, theirs: Measured | None) -> str:
    """Every measure of both sides on the same events, with 95 % intervals over resampled entities."""
    side, result = material.comparable, material.result
    others = dict(_measures(theirs)) if theirs else {}
    rows = [
        [name, found, *([others.get(name, NOTHING)] if theirs else [])] for name, found in _measures(ours)
    ]
    head = ["measure", "this model", *([f"champion {side.version}"] if side else [])]
    judged, shown = material.split.judged, int(material.shown.sum())
    caption = (
        f"Events from {result.judged_from} to {result.judged_until}; 95 % intervals, entities resampled."
    )
    if side is not None:
        caption += f" The champion {side.source}."
    if shown < len(judged):
        caption += f" {shown:,} of {len(judged):,} judged events can be compared, and are shown."
    return table(head, rows, caption, figures=True)


def segments(ours: Measured) -> str:
    """The same measures where events differ."""
    if not ours.segments:
        return paragraph("There is nothing to tell events apart by.")
    rows = [[f"{each.segment}: {each.label}", *_segment(each.figures)] for each in ours.segments]
    head = ["segment", "events", "frauds", "average precision", "ROC AUC", "recall", "money saved"]
    return table(head, rows, "At the actions of least expected cost; few frauds say little.", figures=True)


def checks(material: Material) -> str:
    """Everything that the gate asked, passed or not."""
    found = material.result.checks
    if not found:
        return paragraph("It came to no check.")
    rows = [[each.name.replace("_", " "), "passed" if each.passed else "failed", each.said] for each in found]
    return table(["check", "outcome", "what was found"], rows)


def compaction(material: Material) -> str:
    """Size and speed before and after."""
    report = material.compaction
    if report is None or report.before is None or report.after is None:
        why = f" {report.skipped}." if report and report.skipped else ""
        return paragraph(f"The model is served as it was fitted.{why}")
    rows = [
        [label, *(f"{getattr(size, name):,.{digits}f}" for size in (report.before, report.after))]
        for label, name, digits in _SIZES
    ]
    words = f"{report.dropped} trees were dropped because they did not pay. " if report.dropped else ""
    words += (
        f"Merging and rounding leaves moved no margin of the validation slice by more than {report.moved:.2g}"
        f" log-odds, and can move none by more than {report.bound:.2g}."
        if report.bound
        else "Merging leaves moved no margin by a bit."
    )
    words += " The gate judged what is served."
    return paragraph(words) + table(["", "as fitted", "as served"], rows, figures=True)


def _measures(found: Measured) -> Iterator[tuple[str, str]]:
    overall, money = found.overall, found.overall.money
    yield "average precision", with_interval(overall.average_precision)
    yield "ROC AUC", with_interval(overall.roc_auc)
    if (capacity := found.at_capacity) is not None:
        yield f"precision of {capacity.per_day} reviews a day", with_interval(capacity.precision)
    yield f"card precision@{found.card_precision.k}", with_interval(found.card_precision.precision)
    for each in found.recall_at:
        yield f"recall at {each.false_positive_rate:.1%} false positives", with_interval(each.recall)
    yield "precision of what is stopped", with_interval(overall.precision)
    yield "recall of what is stopped", with_interval(overall.recall)
    yield "F1", with_interval(overall.f1)
    yield "accuracy", with_interval(overall.accuracy)
    yield "share stopped", with_interval(overall.stopped)
    yield "share of fraud", with_interval(overall.prevalence)
    yield "Brier score", with_interval(overall.brier)
    yield "calibration error", with_interval(found.calibration_error)
    yield "money lost", with_interval(money.lost, money=True)
    yield "money saved against approving all", with_interval(money.saved, money=True)


def _segment(found: Figures) -> list[str]:
    return [
        f"{found.events:,}",
        f"{found.frauds:,}",
        with_interval(found.average_precision),
        with_interval(found.roc_auc),
        with_interval(found.recall),
        with_interval(found.money.saved, money=True),
    ]
