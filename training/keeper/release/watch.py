"""A version that acts, watched: what it did lately, and whether that is alarming."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from training.keeper.release.alarms import Alarm, alarm_of
from training.keeper.release.live import MOST, Acted, ascribed, live, newest_decided

if TYPE_CHECKING:
    from streams.messages import Manifest, Release
    from training.keeper.parts import Parts
    from training.keeper.release.registry import ModelState


@dataclass(frozen=True)
class Watched:
    """How many of the newest events a version should have decided since it acts, and its alarm."""

    events: int = 0
    alarm: Alarm | None = None


def acted(present: dict[str, ModelState], version: str) -> Acted | None:
    """Since when a version is what it is; None where the registry does not know."""
    state = present.get(version)
    return None if state is None or state.epoch is None else Acted(version, state.epoch, state.since)


class Watch:
    """Looks at what champion and canary decided."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._spec = parts.pipeline.training.release.rollback
        self._manifests: dict[str, Manifest] = {}

    def look(self, release: Release, present: dict[str, ModelState], version: str, now: int) -> Watched:
        """What ``version``, champion or canary of ``release``, did lately; ``now`` is the clock (us)."""
        since = acted(present, version)
        if since is None:
            return Watched()
        with self._parts.store.cursor() as cursor:
            decided = newest_decided(cursor, self._parts.pipeline, since, most=self._most(release, version))
        mine = ascribed(decided, self._parts.pipeline.name, release, version)
        manifest = self._manifest(version)
        lately = live(decided, mine, now - self._spec.window, self._spec.least)
        alarm = alarm_of(self._spec, lately, manifest.score_bins if manifest else None)
        return Watched(mine.acted_on, alarm)

    def _most(self, release: Release, version: str) -> int:
        """So many that enough of them should be the version's, however small its share is."""
        share = release.canary_share if version == release.canary else 1.0
        return max(MOST, ceil(2 * self._spec.least / share))

    def _manifest(self, version: str) -> Manifest | None:
        if version not in self._manifests:
            self._manifests = self._parts.publisher.read().manifests
        return self._manifests.get(version)
