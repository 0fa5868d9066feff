"""Taking releases forward and back by policy, in a thread of the keeper's own, on the pipeline's clock.

One look:

1. Has the champion alarmed? Then the one before acts again.
2. What is known of each candidate: alarms of the canary, matured labels of shadows, shadows without scores?
3. One move, if one is ready.

Nothing that decides is kept between looks but what store and models topic have: a keeper that starts anew
goes on where the one before ended. Every move expects the release on which it was decided, so a command that
comes in between wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.duck import DuckError
from feature_store.errors import SluicegateError
from streams.kafka import KafkaException
from training.keeper.release.back import Back
from training.keeper.release.entering import arriving, candidates_of, leaving
from training.keeper.release.stages import Move, Seen, next_move
from training.keeper.release.unscored import Unscored
from training.keeper.release.verdicts import Verdicts
from training.keeper.release.watch import Watch, Watched, acted
from training.keeper.worker import Worker
from training.publish import REPAIR

if TYPE_CHECKING:
    from streams.messages import Release
    from training.keeper.parts import Parts
    from training.keeper.release.registry import ModelState

EVERY = 60_000_000
"""On the pipeline's clock (us): how often the newest decisions are looked at, at most."""
_PAUSE_S = 1.0
"""Between two looks at a clock that may run a thousand times as fast as ours."""

log = structlog.get_logger()


def registered(parts: Parts) -> None:
    """Let the registry follow every release from here on, after what an earlier keeper may have left out.

    A release record that is malformed stops no keeper, but until a person says which version acts it does
    nothing more than to say so. Raises BrokerError, StorageError.
    """
    malformed = parts.publisher.read().malformed
    if malformed is not None:
        parts.alert("release_malformed", f"{malformed}; scorers that start take nothing; {REPAIR}", {})

    def follow(release: Release) -> None:
        try:
            parts.registry.follow(release)
        except SluicegateError as error:  # it is released all the same, and the next look notes it
            log.warning("registry_waits", epoch=release.epoch, error=str(error))

    release = parts.publisher.release()
    if release is not None and malformed is None:
        parts.registry.follow(release)
    parts.publisher.known_epoch = parts.registry.newest_epoch()
    parts.publisher.on_release = follow


class Releasing(Worker):
    """Moves candidates on and takes back what alarms; has a thread of its own."""

    def __init__(self, parts: Parts) -> None:
        super().__init__("releasing")
        self._parts = parts
        self._spec = parts.pipeline.training.release
        self._every = min(EVERY, self._spec.rollback.window // 4)
        self._watch = Watch(parts)
        self._back = Back(parts)
        self._unscored = Unscored(parts)
        self._verdicts = Verdicts(parts)
        self._looked = 0
        self._said: set[str] = set()

    def look(self) -> Release | None:
        """One look; the release that it made, if it made one.

        Raises SluicegateError, KafkaException, DuckError; the same look can be tried again.
        """
        release, now = self._parts.publisher.release(), self._parts.clock.now()
        if release is None or release.champion is None or now <= 0:
            return None
        self._looked = now
        self._parts.registry.follow(release)
        present = self._parts.registry.present()
        champion = self._watch.look(release, present, release.champion, now)
        alarm = champion.alarm or self._back.precision(release, present, now)
        if alarm is not None:  # 1
            made = self._back.take(release, present, alarm)
            if made is not None:
                return made
        return self._forward(release, present, champion, now)

    def _forward(
        self, release: Release, present: dict[str, ModelState], champion: Watched, now: int
    ) -> Release | None:
        candidates = [each for each in candidates_of(present) if each.version in release.scoring[1:]]
        seen = self._verdicts.of(release, present, candidates, now)  # 2
        for each in candidates:
            since = acted(present, each.version) if each.stage == "shadow" else None
            if since is not None and (why := self._unscored.why(since, now)) is not None:
                seen[each.version] = Seen(worse=why)
        if release.canary is not None and release.canary in present:
            canary = self._watch.look(release, present, release.canary, now)
            known = seen.get(release.canary, Seen())
            alarm = known.worse
            if canary.alarm is not None and (
                champion.alarm is None or champion.alarm.kind != canary.alarm.kind
            ):
                alarm = canary.alarm.said  # what both show is not the canary's fault
            if alarm is not None:  # a canary that a person started is watched as well
                return self._apply(release, Move(release.canary, "dropped", alarm))
            seen[release.canary] = Seen(events=canary.events, frauds=known.frauds)
        move = next_move(self._spec, candidates, seen, now, taken=release.canary is not None)
        return None if move is None else self._apply(release, move)  # 3

    def _apply(self, release: Release, move: Move) -> Release:
        publisher, version = self._parts.publisher, move.version
        if move.to != "dropped":
            made = publisher.change(arriving(self._parts, version, move.to), move.why, release.epoch)
            log.info("release_moved_on", model=version, to=move.to, why=move.why, epoch=made.epoch)
            return made
        why = f"{version} is taken back: {move.why}"
        made = publisher.change(leaving(version), why, release.epoch)
        kind = "rollback" if version == release.canary else "shadow_dropped"
        self._parts.alert(kind, f"{why}; {made.champion} acts", {"model": version, "epoch": made.epoch})
        return made

    def _puzzled(self, error: Exception) -> None:
        log.error("releasing_failed", exc_info=error)
        if repr(error) not in self._said:
            self._said.add(repr(error))
            self._parts.alert("releasing_failed", f"releases are not watched now: {error!r}", {})

    def _work(self) -> None:
        while not self._stop.wait(_PAUSE_S):
            try:
                if self._parts.clock.now() - self._looked >= self._every:
                    self.look()
            except (SluicegateError, KafkaException, DuckError) as error:
                log.warning("releasing_waits", error=str(error))
            except Exception as error:  # noqa: BLE001  (what cannot be told of a model ends no keeper)
                self._puzzled(error)
