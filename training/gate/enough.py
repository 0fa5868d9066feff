"""Is there enough to fit on and to judge by? Asked before a fit, in counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feature_store.declaration.training import TrainingSpec
    from training.dataset.events import LabelledEvents
    from training.dataset.split import Split


def too_little(split: Split, spec: TrainingSpec) -> list[str]:
    """What is missing before anything can be fitted or judged; empty when nothing is."""
    rows, frauds = len(split.fit) + len(split.validation), split.fit.frauds + split.validation.frauds
    missing = []
    if rows < spec.min_events:
        missing.append(
            f"too_few_events: {rows:,} matured, labelled events to fit on, training.min_events asks for "
            f"{spec.min_events:,}"
        )
    if frauds < spec.min_frauds:
        missing.append(
            f"too_few_frauds: {frauds:,} matured frauds to fit on, training.min_frauds asks for "
            f"{spec.min_frauds:,}"
        )
    missing += _too_few_judged(split.judged, spec)
    if not missing:
        missing = [
            f"one_sided: {name} has {part.frauds:,} frauds among {len(part):,} events, and needs both kinds"
            for name, part in (("the fitted slice", split.fit), ("the validation slice", split.validation))
            if not 0 < part.frauds < len(part)
        ]
    return missing


def _too_few_judged(judged: LabelledEvents, spec: TrainingSpec) -> list[str]:
    if judged.frauds < spec.gate.min_frauds:
        found = f"{judged.frauds:,} frauds among {len(judged):,} judged events"
        return [f"too_few_judged_frauds: {found}, training.gate.min_frauds asks for {spec.gate.min_frauds:,}"]
    if judged.frauds == len(judged):
        return [f"one_sided: all {len(judged):,} judged events are frauds"]
    return []
