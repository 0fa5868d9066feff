"""From figures to levels and words: what each look found of what may be alarming."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.monitor.episodes import Level, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.alerts import Details
    from streams.monitor.figures import Figures

DRIFT, MISSING, ACTIONS, SHADOW = "drift", "missing_values", "action_rate", "shadow_disagrees"
SILENCE, BEHIND = "silence", "behind"
BY_EVENTS = frozenset({DRIFT, MISSING, ACTIONS, SHADOW})
"""Kinds that are looked at by the pipeline's clock."""
BY_THE_WALL = frozenset({SILENCE, BEHIND})
"""Kinds that are looked at in real time."""
SCORE = "score"

_NAMED = 3
_DRIFT_LEVELS = {
    "drift": Level.BAD,
    "missing": Level.UNKNOWN,
    "between": Level.BETWEEN,
    "stable": Level.GOOD,
    "too_little": Level.UNKNOWN,
}
_LEVELS = {"bad": Level.BAD, "between": Level.BETWEEN, "good": Level.GOOD}


def levels_by_events(figures: Figures) -> dict[Subject, Level]:
    """What a look at the events found."""
    found: dict[Subject, Level] = {}
    for each in figures.drift["features"]:
        if each["state"] != "ignored":
            found[Subject(DRIFT, f"feature {each['name']}")] = _DRIFT_LEVELS[each["state"]]
            found[Subject(MISSING, f"feature {each['name']}")] = _LEVELS.get(
                each["missing_state"], Level.UNKNOWN
            )
    if figures.drift["score"] is not None:
        found[Subject(DRIFT, SCORE)] = _DRIFT_LEVELS[figures.drift["score"]["state"]]
    for action, told in figures.actions["actions"].items():
        found[Subject(ACTIONS, action)] = _LEVELS.get(told["state"], Level.UNKNOWN)
    for told in figures.agreement:
        found[Subject(SHADOW, told["shadow"])] = _LEVELS.get(told["state"], Level.UNKNOWN)
    return found


def levels_by_the_wall(figures: Figures) -> dict[Subject, Level]:
    """What a look at the clock found."""
    silence, behind = figures.freshness["silence"], figures.freshness["behind"]
    return {
        Subject(SILENCE, "events"): _LEVELS.get(silence["state"], Level.UNKNOWN),
        Subject(BEHIND, "events"): _LEVELS.get(behind["state"], Level.UNKNOWN),
    }


def words(kind: str, subjects: Sequence[Subject], figures: Figures) -> tuple[str, Details]:
    """What to say of subjects of one kind that are raised, and the numbers."""
    return _WORDS[kind]([subject.of for subject in subjects], figures)


def _drifted(of: list[str], figures: Figures) -> tuple[str, Details]:
    told = {f"feature {each['name']}": each for each in figures.drift["features"]}
    if figures.drift["score"] is not None:
        told[SCORE] = figures.drift["score"]
    worst = sorted(of, key=lambda subject: -(told[subject]["psi"] or 0.0))
    moved = [f"{subject} (PSI {told[subject]['psi']:.2f})" for subject in worst]
    have = "have" if len(moved) > 1 else "has"
    return (
        f"{_listed(moved)} {have} drifted from what {figures.drift['reference']} was fitted on",
        {
            "model": figures.drift["reference"],
            "psi": told[worst[0]]["psi"],
            "p_value": told[worst[0]]["p_value"],
            "events": figures.drift["events"],
        },
    )


def _missing(of: list[str], figures: Figures) -> tuple[str, Details]:
    told = {f"feature {each['name']}": each for each in figures.drift["features"]}
    worst = sorted(
        of, key=lambda subject: -abs(told[subject]["missing"] - told[subject]["missing_reference"])
    )
    gone = [
        f"{subject} ({told[subject]['missing']:.1%}, was {told[subject]['missing_reference']:.1%})"
        for subject in worst
    ]
    return (
        f"values are missing otherwise than when {figures.drift['reference']} was fitted: {_listed(gone)}",
        {"model": figures.drift["reference"], "missing": told[worst[0]]["missing"]},
    )


def _actions(of: list[str], figures: Figures) -> tuple[str, Details]:
    told = figures.actions["actions"]
    said = [f"{action} {told[action]['share']:.2%}, usually {told[action]['usual']:.2%}" for action in of]
    return (
        f"decisions are not as in the week before: {_listed(said)}",
        {"share": told[of[0]]["share"], "usual": told[of[0]]["usual"], "p_value": told[of[0]]["p_value"]},
    )


def _shadow(of: list[str], figures: Figures) -> tuple[str, Details]:
    told = {each["shadow"]: each for each in figures.agreement}
    said = [f"{shadow} shares {told[shadow]['overlap']:.0%}" for shadow in of]
    return (
        f"of the events that are stopped, shadows would stop others: {_listed(said)}",
        {"overlap": told[of[0]]["overlap"], "events": told[of[0]]["events"]},
    )


def _silence(of: list[str], figures: Figures) -> tuple[str, Details]:
    del of
    told = figures.freshness["silence"]
    text = (
        f"no decision for {told['for_s']:.0f} s; by the week before there would have been "
        f"{told['expected']:.0f} by now"
    )
    return text, {"for_s": told["for_s"], "expected": told["expected"]}


def _behind(of: list[str], figures: Figures) -> tuple[str, Details]:
    del of
    told = figures.freshness["behind"]
    text = (
        f"{told['waiting']} events wait; on {told['stuck']} partitions none was decided for "
        f"{told['for_s']:.0f} s: is a scorer running?"
    )
    return text, {"waiting": told["waiting"], "stuck": told["stuck"], "for_s": told["for_s"]}


def _listed(parts: list[str]) -> str:
    more = len(parts) - _NAMED
    return ", ".join(parts[:_NAMED]) + (f" and {more} more" if more > 0 else "")


_WORDS: dict[str, Callable[[list[str], Figures], tuple[str, Details]]] = {
    DRIFT: _drifted,
    MISSING: _missing,
    ACTIONS: _actions,
    SHADOW: _shadow,
    SILENCE: _silence,
    BEHIND: _behind,
}
