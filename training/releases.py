"""What follows a release: each step takes what acts now to what acts next, and says why it may not.

Steps are pure; ``training.publish`` writes what they give as the next epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import reduce

from msgspec.structs import replace

from feature_store.errors import ContractError
from streams.messages import Release

Step = Callable[[Release], Release]
"""From what acts to what acts next; raises ContractError. Epoch, time and reason are the publisher's."""

NOTHING = Release(epoch=0, champion=None, released_at="", why="")
"""What acts before the first release."""

_REMEMBERED = 10


def promote(version: str) -> Step:
    """Let ``version`` act; the champion before becomes what a rollback returns to."""

    def step(now: Release) -> Release:
        if version == now.champion:
            raise ContractError(f"model {version} is the champion already")
        before = dict.fromkeys((now.champion, now.previous, *now.earlier))
        earlier = [each for each in before if each is not None and each != version]
        return replace(
            _without(now, version),
            champion=version,
            previous=earlier[0] if earlier else None,
            earlier=earlier[1:_REMEMBERED],
        )

    return step


def canary(version: str, share: float) -> Step:
    """Let ``version`` act for a share of the entities, in place of another canary, or of its other share."""

    def step(now: Release) -> Release:
        if now.champion is None:
            raise ContractError("there is no champion: without one, nobody acts for the other entities")
        if version == now.champion:
            raise ContractError(f"model {version} is the champion; it acts for all already")
        if not 0 < share < 1:
            raise ContractError(f"the share of a canary is above 0 and below 1, not {share:g}")
        left = _without(now, version)
        return replace(left, canary=version, canary_share=share, canary_epoch=now.epoch + 1)

    return step


def shadow(version: str) -> Step:
    """Let ``version`` score beside the champion without acting."""

    def step(now: Release) -> Release:
        if version == now.champion:
            raise ContractError(f"model {version} is the champion; only others can be shadows")
        if version == now.canary:
            raise ContractError(f"model {version} is the canary; it scores every event already")
        if version in now.shadows:
            raise ContractError(f"model {version} is a shadow already")
        return replace(now, shadows=[*now.shadows, version])

    return step


def unshadow(version: str) -> Step:
    """Let a shadow score no more."""

    def step(now: Release) -> Release:
        if version not in now.shadows:
            there = ", ".join(now.shadows) or "none"
            raise ContractError(f"model {version} is no shadow; shadows are: {there}")
        return _without(now, version)

    return step


def end_canary(now: Release) -> Release:
    """Let the champion act for all again, and take the canary back. Raises ContractError without one."""
    if now.canary is None:
        raise ContractError("no canary runs")
    return replace(_without(now, now.canary), withdrawn=now.canary)


def roll_back(kept: Collection[str]) -> Step:
    """Return to the newest earlier champion that is still among ``kept``, and take this one back."""

    def step(now: Release) -> Release:
        before = [each for each in (now.previous, *now.earlier) if each is not None and each in kept]
        if not before:
            raise ContractError("there is no earlier champion to roll back to")
        return replace(
            _without(now, before[0]),
            champion=before[0],
            previous=before[1] if before[1:] else None,
            earlier=before[2:],
            withdrawn=now.champion,
        )

    return step


def chain(*steps: Step) -> Step:
    """One step after the other, as one release."""

    def step(now: Release) -> Release:
        return reduce(lambda found, each: each(found), steps, now)

    return step


def _without(now: Release, version: str) -> Release:
    """What is left when ``version`` is neither canary nor shadow."""
    kept = [each for each in now.shadows if each != version]
    if version != now.canary:
        return replace(now, shadows=kept)
    return replace(now, shadows=kept, canary=None, canary_share=0.0, canary_epoch=0)
