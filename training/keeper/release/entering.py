"""Who is under way by policy, and how the next challenger comes among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training import releases
from training.keeper.release.stages import Candidate, entry

if TYPE_CHECKING:
    from streams.messages import Release
    from training.keeper.parts import Parts
    from training.keeper.release.registry import ModelState
    from training.releases import Step


def candidates_of(present: dict[str, ModelState]) -> list[Candidate]:
    """Those that came to their stage by policy; what a person put there, a person takes away."""
    return [
        Candidate(version, state.state, state.since)
        for version, state in present.items()
        if state.by == "policy" and (state.state == "shadow" or state.state == "canary")  # noqa: PLR1714  (typed)
    ]


def entering(parts: Parts, version: str) -> Step:
    """The step that brings a challenger that passed the gate to its first stage."""

    def step(now: Release) -> Release:
        candidates = candidates_of(parts.registry.present())
        found = entry(parts.pipeline.training.release, now.champion, candidates, taken=now.canary is not None)
        steps = [] if found.replaced is None else [leaving(found.replaced)]
        return releases.chain(*steps, arriving(parts, version, found.to))(now)

    return step


def arriving(parts: Parts, version: str, to: str) -> Step:
    """The step that brings ``version`` to a stage."""
    if to == "champion":
        return releases.promote(version)
    if to == "canary":
        return releases.canary(version, parts.pipeline.training.release.canary.share)
    return releases.shadow(version)


def leaving(version: str) -> Step:
    """The step that takes a candidate away, whatever its stage; nothing where it has gone already."""

    def step(now: Release) -> Release:
        if version == now.canary:
            return releases.end_canary(now)
        return releases.unshadow(version)(now) if version in now.shadows else now

    return step
