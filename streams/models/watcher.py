"""Following the models topic off the hot path: what acts now is swapped in between batches."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import ContractError, StorageError
from streams.following import TopicFollower
from streams.models.assembly import ModelsTopic
from streams.models.canary import Canary, CanaryDraw
from streams.models.champion import Champion, load_champion
from streams.models.retry import Retry
from streams.models.shadows import ShadowLoader, ShadowRequest
from streams.models.signature import SignatureError
from streams.models.trees.warm import warm

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import AlertSender, Details
    from streams.messages import Release

_log = structlog.get_logger()
_LONG_S = 1.0
_TYPICAL_BATCH = 512


@dataclass(frozen=True)
class Acting:
    """Under what a batch is decided: one release epoch and its champion, or none yet."""

    epoch: int
    champion: Champion | None
    shadows: tuple[Champion, ...] = ()
    """Those of the release that are loaded by now, in its order: they score beside the champion."""
    canary: Canary | None = None
    """It acts for some entities in place of the champion."""

    @property
    def loaded(self) -> dict[str, Champion]:
        """Version -> model, of all that score."""
        canary = None if self.canary is None else self.canary.model
        return {each.version: each for each in (self.champion, canary, *self.shadows) if each is not None}


class ModelWatcher(TopicFollower):
    """Keeps ``acting`` up to date from a thread of its own.

    A release that cannot be loaded leaves the present one acting and raises an alert; at a start, when there
    is none, the newest is taken of those before it that the topic still has. Where only its canary cannot,
    the champion acts for all, with an alert. Shadows join when they are loaded; one that cannot be is
    left out with an alert. ``wait_for`` takes an epoch.
    """

    def __init__(self, bootstrap: str, pipeline: Pipeline, alerts: AlertSender) -> None:
        super().__init__(bootstrap, pipeline.topics.models, "models")
        self._alerts = alerts
        self._declared = pipeline.feature_vector
        self._pipeline = pipeline.name
        self._key = pipeline.whole.event.key
        self._state = ModelsTopic(pipeline)
        self.acting = Acting(0, None)
        self._away = Retry()
        self._serving = pipeline.serving
        self._swap = threading.Lock()
        self._wanted: list[str] = []
        self._shadows = ShadowLoader(self._shadow_loaded, self._shadow_failed)

    def start(self, told_to_stop: threading.Event | None = None) -> None:
        """Take the present release, then follow in the background."""
        seconds = warm()  # nothing where `make install` compiled the kernels
        if seconds > _LONG_S:
            _log.info("tree_kernels_compiled", seconds=round(seconds, 1))
        super().start(told_to_stop)

    def stop(self) -> None:
        """End the threads; returns when they have ended."""
        self._stop.set()
        self._shadows.stop()
        super().stop()

    def _feed(self, key: bytes | None, value: bytes | None, offset: int) -> bool:
        del offset
        try:
            return self._state.feed(key, value)
        except SignatureError as error:
            self._reject(self._state.newest_epoch, None, str(error))
            return True  # heard of, and rejected
        except ContractError as error:
            self._reject(self.acting.epoch, None, str(error))
        return False

    def _due_again(self) -> bool:
        return self._away.due

    def _take(self) -> int:
        release = self._state.release
        if release is not None and (release.epoch > self.acting.epoch or self._away.due):
            self._away.over()
            self._act_under(release)
            if not self.acting.epoch:
                self._act_as_the_others_do()
        return max(self.acting.epoch, self._state.newest_epoch)

    def _act_as_the_others_do(self) -> None:
        """Who was running when the newest release came acts under the one before; so does who starts."""
        for release in self._state.earlier:
            self._act_under(release)
            if self.acting.epoch:
                return

    def _act_under(self, release: Release) -> None:
        try:
            champion = self._champion(release.champion)
        except StorageError as error:
            self._store_away("model_rejected", release.epoch, release.champion, str(error))
            return
        except ContractError as error:
            self._reject(release.epoch, release.champion, str(error))
            return
        except Exception as error:  # noqa: BLE001  (a library may raise anything on a model it cannot run)
            self._reject(
                release.epoch, release.champion, f"model {release.champion} cannot be run: {error!r}"
            )
            return
        canary = self._canary(release) if champion is not None else None
        scoring = {champion and champion.version, canary and canary.version}
        wanted = [version for version in dict.fromkeys(release.shadows) if version not in scoring]
        with self._swap:
            before = self.acting.loaded
            shadows = tuple(before[version] for version in wanted if version in before)
            self.acting = Acting(release.epoch, champion, shadows, canary)
            self._wanted = wanted
        _log.info(
            "release_taken", epoch=release.epoch, model=release.champion, canary=canary and canary.version
        )
        for version, model in self.acting.loaded.items():
            if version not in before and model not in shadows:
                self._tell_of_fallback(release.epoch, model)
        self._ask_for_shadows(release.epoch, [version for version in wanted if version not in before])

    def _champion(self, version: str | None) -> Champion | None:
        if version is None:
            return None
        return self.acting.loaded.get(version) or self._loader(version)()

    def _canary(self, release: Release) -> Canary | None:
        """The canary of a release; None where there is none, or it cannot act, which is said."""
        version = release.canary
        if version is None or version == release.champion:
            return None
        try:
            model = self.acting.loaded.get(version) or self._loader(version)()
        except StorageError as error:
            self._store_away("canary_rejected", release.epoch, version, str(error))
            return None
        except Exception as error:  # noqa: BLE001  (a library may raise anything on a model it cannot run)
            why = str(error) if isinstance(error, ContractError) else f"it cannot be run: {error!r}"
            details: Details = {"epoch": release.epoch, "model": version}
            text = f"the canary {version} is left out, the champion acts for all: {why}"
            self._alerts.send("canary_rejected", text, details)
            return None
        return Canary(model, CanaryDraw(self._pipeline, version, release.canary_share), self._key)

    def _loader(self, version: str) -> Callable[[], Champion]:
        """How to load ``version``, from what the topic says now. Raises ContractError for what is missing.

        Its bytes are fetched when it is loaded, which raises StorageError where their store is away.
        """
        manifest, fetch = self._state.manifest(version), self._state.fetcher(version)
        load = partial(
            load_champion,
            manifest,
            declared=self._declared,
            device=self._serving.device,
            batch=min(self._serving.batch.max_events, _TYPICAL_BATCH),
            outside=True,
            exact=self._serving.explanations == "inline",
        )
        return lambda: load(fetch())

    def _ask_for_shadows(self, epoch: int, versions: list[str]) -> None:
        requests = []
        for version in versions:
            try:
                requests.append(ShadowRequest(epoch, version, self._loader(version)))
            except ContractError as error:
                self._reject_shadow(epoch, version, str(error))
        self._shadows.ask(requests)

    def _shadow_loaded(self, request: ShadowRequest, shadow: Champion) -> None:
        with self._swap:
            acting, wanted = self.acting, self._wanted
            if request.version not in wanted or request.version in self.acting.loaded:
                return  # a later release does without it
            shadows = sorted((*acting.shadows, shadow), key=lambda each: wanted.index(each.version))
            self.acting = replace(acting, shadows=tuple(shadows))
        with self._heard:
            self._heard.notify_all()
        _log.info("shadow_taken", epoch=acting.epoch, model=request.version)
        self._tell_of_fallback(acting.epoch, shadow)

    def _shadow_failed(self, request: ShadowRequest, error: Exception) -> None:
        if isinstance(error, StorageError):
            self._store_away("shadow_rejected", request.epoch, request.version, str(error))
            return
        why = str(error) if isinstance(error, ContractError) else f"it cannot be run: {error!r}"
        self._reject_shadow(request.epoch, request.version, why)

    def _store_away(self, kind: str, epoch: int, version: str | None, why: str) -> None:
        """What acts goes on; it is tried again, and told once."""
        if self._away.failed(f"{epoch} {version}"):
            details: Details = {"epoch": epoch, "model": version}
            self._alerts.send(kind, f"model {version} waits for its artifact: {why}", details)

    def _reject_shadow(self, epoch: int, version: str, why: str) -> None:
        details: Details = {"epoch": epoch, "model": version}
        self._alerts.send("shadow_rejected", f"the shadow {version} is left out: {why}", details)

    def _tell_of_fallback(self, epoch: int, model: Champion) -> None:
        if model.fallback is None:
            return
        details: Details = {"epoch": epoch, "model": model.version, "engine": model.engine.name}
        self._alerts.send(
            "packed_engine_unused",
            f"model {model.version} is scored by {model.engine.name} itself, and has no path reasons: "
            f"{model.fallback}",
            details,
        )

    def _reject(self, epoch: int, version: str | None, why: str) -> None:
        details: Details = {"epoch": epoch, "model": version}
        self._alerts.send("model_rejected", why, details)
