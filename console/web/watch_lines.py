"""What the monitor watches, in a line each: how it stands, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.web.monitor_figures import ActionRates, Agreement, Drift, Freshness, MonitorFigures

_NAMED = 3
_STYLES = {
    "good": ("good", "usual"),
    "stable": ("good", "stable"),
    "between": ("warn", "moves"),
    "bad": ("bad", "not usual"),
    "drift": ("bad", "drifted"),
}
"""State -> class of the style sheet, and a word; any other is not known yet."""


@dataclass(frozen=True)
class WatchLine:
    """One thing that is watched; ``path`` leads to more, where there is more."""

    name: str
    style: str
    state: str
    words: str
    path: str = ""


def watch_lines(told: MonitorFigures) -> list[WatchLine]:
    """Everything that the monitor watches; an older one watches less."""
    return [
        *_drift(told.drift),
        *_actions(told.action_rates),
        *map(_agrees, told.agreement),
        *_fresh(told.freshness),
    ]


def _line(name: str, state: str, words: str, path: str = "") -> WatchLine:
    style, word = _STYLES.get(state, ("", "not known yet"))
    return WatchLine(name, style, word, words, path)


def _drift(drift: Drift | None) -> Iterator[WatchLine]:
    if drift is None:
        return
    moved = [each.name for each in drift.features if each.state in {"drift", "missing"}]
    more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
    usual = f"{len(drift.features)} features against {drift.reference}"
    named = f"{', '.join(moved[:_NAMED])}{more}"
    yield _line("Features", drift.state, drift.why or named or usual, "/features?by=drift")
    if (score := drift.score) is not None:
        psi = "" if score.psi is None else f"PSI {score.psi:.3f} over {score.n:,} events"
        yield _line("Score", score.state, psi, "/features/score")


def _actions(rates: ActionRates | None) -> Iterator[WatchLine]:
    for action, told in (rates.actions if rates is not None else {}).items():
        usual = "" if told.usual is None else f", usually {told.usual:.2%}"
        words = "no decisions" if told.share is None else f"{told.share:.2%}{usual}"
        yield _line(f"Share of {action}", told.state, words, f"/decisions?action={action}")


def _agrees(each: Agreement) -> WatchLine:
    words = "" if each.overlap is None else f"would stop {each.overlap:.0%} of what is stopped"
    return _line(f"Shadow {each.shadow}", each.state, words, f"/models/{each.shadow}")


def _fresh(fresh: Freshness | None) -> Iterator[WatchLine]:
    if fresh is None:
        return
    silence, behind = fresh.silence, fresh.behind
    since = "" if silence.for_s is None else f"newest decision {silence.for_s:,.0f} s ago"
    yield _line("Events come", silence.state, since)
    yield _line(
        "Events are decided", behind.state, "" if behind.waiting is None else f"{behind.waiting:,} wait"
    )
