"""Training runs in words: how far one is, how long it took, when the next comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.keeper.runs import Run
    from training.keeper.views.run_log import Step

_SECOND = 1_000_000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

_STEPS = {
    "labelled": "labels are read: {events:,} events, {frauds:,} frauds",
    "split": "split by time: {fit:,} to fit on, {validation:,} to validate, {judged:,} to judge",
    "tuning": "{trial} trials of parameters",
    "fitting": "{round} rounds of boosting",
    "fitted": "fitted with {rounds} rounds",
    "refitting": "fitting again on all {events:,} events",
    "refitting_champion": "fitting the champion's recipe again on {events:,} events",
    "drawing": "drawing the model card",
    "passed": "passed the gate",
    "refused": "refused by the gate",
}
_WHYS = {
    "schedule": "scheduled",
    "command": "asked for",
    "new_frauds": "enough new frauds",
    "drift": "drift",
}


def step_words(step: Step) -> str:
    """What the trainer did."""
    try:
        return _STEPS.get(step.name, step.name).format(**step.numbers)
    except (KeyError, ValueError, TypeError):
        return step.name


def why_words(run: Run) -> str:
    """Why a run was, and what was special about it."""
    said = [_WHYS.get(run.why, run.why)]
    if run.cause:
        said.append(run.cause)
    special = {"dry run": run.dry, "labels shuffled": run.shuffle_labels, "data trusted": run.trust_data}
    said += [name for name, holds in special.items() if holds]
    return ", ".join(said)


def lasting(seconds: float) -> str:
    """A stretch of time: ``35 s``, ``4 min 5 s``, ``25 min``, ``3 h 20 min``, ``2 d 4 h``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < 10 * _MINUTE:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def until(at: int | None, now: int) -> str | None:
    """How long it is from ``now`` to ``at`` (us); None where either is not known."""
    return None if at is None or now <= 0 else lasting((at - now) / _SECOND)
