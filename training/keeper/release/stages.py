"""The stages of a challenger that passed the gate, as a pure state machine.

It enters as a shadow, becomes the canary, becomes the champion; a stage that stays no time is left out, and
the first model of a pipeline acts at once, since there is nobody to stand beside.

Two challengers are under way at most: the one that is furthest along, and the newest. A newer one takes the
place of the latter, so that the one in front always arrives, however often training runs. One canary runs at
a time; who is ready for that stage while it is taken waits as a shadow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from feature_store.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feature_store.declaration.release import ReleaseSpec

Stage = Literal["shadow", "canary"]
To = Literal["shadow", "canary", "champion", "dropped"]

_MOST = 2


@dataclass(frozen=True)
class Candidate:
    """A challenger on its way; ``since`` (us) is when it came to its stage."""

    version: str
    stage: Stage
    since: int


@dataclass(frozen=True)
class Seen:
    """What is known of a candidate in its stage.

    ``events``: those that it acted on. ``frauds``: matured ones that it scored beside another. ``worse``: why
    it is surely worse than what acted or no scorer can score by it, ``alarm``: why it must not act on.
    """

    events: int = 0
    frauds: int = 0
    worse: str | None = None
    alarm: str | None = None


@dataclass(frozen=True)
class Move:
    """What becomes of ``version``, and why."""

    version: str
    to: To
    why: str


@dataclass(frozen=True)
class Entry:
    """How a challenger enters, and whose place it takes."""

    to: To
    replaced: str | None = None


def entry(spec: ReleaseSpec, champion: str | None, candidates: Sequence[Candidate], *, taken: bool) -> Entry:
    """Where a challenger that passed the gate begins; ``taken``: a canary runs, by policy or by hand."""
    staged = spec.shadow.stays > 0 or spec.canary.stays > 0
    if champion is None or not staged:
        return Entry("champion")
    hindmost = _in_order(candidates)[_MOST - 1 :]
    replaced = hindmost[0].version if hindmost else None
    first: Stage = "canary" if spec.shadow.stays == 0 and not taken else "shadow"
    return Entry(first, replaced)


def next_move(
    spec: ReleaseSpec, candidates: Sequence[Candidate], seen: Mapping[str, Seen], now: int, *, taken: bool
) -> Move | None:
    """The next thing to do at ``now`` (us); None: nothing is ready. Who must go goes before others move."""
    in_order = _in_order(candidates)
    for each in in_order:
        known = seen.get(each.version, Seen())
        if (why := known.alarm if each.stage == "canary" else known.worse) is not None:
            return Move(each.version, "dropped", why)
    for each in in_order:
        move = _onward(spec, each, seen.get(each.version, Seen()), now, taken=taken)
        if move is not None:
            return move
    return None


def _onward(spec: ReleaseSpec, candidate: Candidate, known: Seen, now: int, *, taken: bool) -> Move | None:
    version, stayed = candidate.version, now - candidate.since
    if candidate.stage == "canary":
        if stayed < spec.canary.stays or known.events < spec.rollback.least:
            return None
        least = format_duration(spec.canary.stays)
        why = f"as the canary {version} decided {known.events:,} events in {least} or more without alarm"
        return Move(version, "champion", why)
    if spec.shadow.stays > 0 and (stayed < spec.shadow.stays or known.frauds < spec.shadow.min_frauds):
        return None
    why = f"as a shadow {version} scored {known.frauds:,} matured frauds, no worse than what acted"
    if spec.canary.stays == 0:
        return Move(version, "champion", why)
    return None if taken else Move(version, "canary", why)


def _in_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The one furthest along first."""
    return sorted(candidates, key=lambda each: (each.stage != "canary", each.since, each.version))
