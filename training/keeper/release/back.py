"""Taking a champion back that alarms, unless that would not help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.errors import ContractError, StorageError
from training import releases
from training.keeper.release.alarms import alarm_of
from training.keeper.release.live import live_before
from training.keeper.release.second_opinion import SecondOpinion
from training.keeper.release.verdicts import EVERY
from training.keeper.release.watch import acted
from training.kept import check_kept

if TYPE_CHECKING:
    from streams.alerts import Details
    from streams.messages import Release
    from streams.models.assembly import ModelsTopic
    from training.keeper.parts import Parts
    from training.keeper.release.alarms import Alarm
    from training.keeper.release.live import Acted
    from training.keeper.release.registry import ModelState

log = structlog.get_logger()

_DAY = 86_400_000_000
"""What was decided longer before a champion came says nothing about the world that it came into."""


class Back:
    """Returns to the champion before."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._opinion = SecondOpinion(parts)
        self._spec = parts.pipeline.training.release.rollback
        self._asked = 0
        self._said: set[tuple[int, str]] = set()

    def precision(self, release: Release, present: dict[str, ModelState], now: int) -> Alarm | None:
        """Whether the champion before would have done surely better; asked now and then (``now`` in us)."""
        since = acted(present, str(release.champion))
        if self._spec.precision_drop is None or since is None or now - self._asked < EVERY:
            return None
        self._asked = now
        models = self._parts.publisher.read()
        before = _before(release, models)
        return self._opinion.better(models, before[0], since, now) if before else None

    def take(self, release: Release, present: dict[str, ModelState], alarm: Alarm) -> Release | None:
        """The release that takes the champion back; None where it acts on, which is said once a release.

        Raises ContractError where another release came in between, BrokerError.
        """
        models = self._parts.publisher.read()
        champion, before = str(release.champion), _before(release, models)
        if not before:
            self._say(release, alarm, "there is no earlier champion to return to whose artifact is there")
            return None
        if present[champion].by == "hand" and self._parts.registry.was_rolled_back(champion):
            self._say(
                release, alarm, "it acts on, since it was promoted by hand after it had been taken back"
            )
            return None
        since = acted(present, champion)
        if (
            alarm.kind == "score_shift"
            and since is not None
            and self._opinion.shifted(models, before[0], since)
        ):
            self._say(
                release, alarm, f"{before[0]} has shifted as far on the same events, so the world has moved"
            )
            return None
        if since is not None and self._as_before(alarm, since):
            self._say(release, alarm, "what acted before it showed the same, so another model would not help")
            return None
        why = f"{champion} is taken back: {alarm.said}"
        made = self._parts.publisher.change(releases.roll_back(before), why, release.epoch)
        details: Details = {"model": champion, "alarm": alarm.kind, "epoch": made.epoch}
        self._parts.alert("rollback", f"{why}; {made.champion} acts", details)
        return made

    def _as_before(self, alarm: Alarm, since: Acted) -> bool:
        """Whether failures or waiting were there before the champion came: a slow or broken world's."""
        if alarm.kind not in {"failures", "latency"}:
            return False
        with self._parts.store.cursor() as cursor:
            before = live_before(cursor, since, _DAY, self._spec.least)
        found = alarm_of(self._spec, before, None)
        return found is not None and found.kind == alarm.kind

    def _say(self, release: Release, alarm: Alarm, but: str) -> None:
        if (release.epoch, alarm.kind) in self._said:
            return
        self._said.add((release.epoch, alarm.kind))
        details: Details = {"model": release.champion, "alarm": alarm.kind, "epoch": release.epoch}
        self._parts.alert("champion_alarm", f"{release.champion}: {alarm.said}; {but}", details)


def _before(release: Release, models: ModelsTopic) -> list[str]:
    """Earlier champions that are kept, the newest first, from the first on whose artifact is there."""
    kept = [each for each in (release.previous, *release.earlier) if each in models.manifests]
    for place, version in enumerate(kept):
        try:
            check_kept(models, str(version))
        except (ContractError, StorageError) as error:
            log.warning("earlier_champion_passed_over", model=version, why=str(error))
        else:
            return [str(each) for each in kept[place:]]
    return []
