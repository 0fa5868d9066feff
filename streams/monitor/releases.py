"""What acts now, as the models topic says: live events are held against the champion's manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import ContractError
from streams.following import TopicFollower
from streams.models.assembly import ModelsTopic
from streams.models.signature import SignatureError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest
    from streams.messages.model import ScoreBins

_log = structlog.get_logger()


@dataclass(frozen=True)
class Acting:
    """One release: its champion's manifest, None where none may be used, and the versions beside it.

    ``line``: where the scores of champion, canary and the champions before lay when they were judged, but for
    what was withdrawn: these decided the last day, and each is held against its own.
    """

    epoch: int = 0
    champion: Manifest | None = None
    shadows: tuple[str, ...] = ()
    line: Mapping[str, ScoreBins] = field(default_factory=dict)


class Releases(TopicFollower):
    """Keeps ``acting`` up to date from a thread of its own; artifacts are passed over."""

    def __init__(self, bootstrap: str, pipeline: Pipeline) -> None:
        super().__init__(bootstrap, pipeline.topics.models, "releases")
        self._state = ModelsTopic(pipeline)
        self.acting = Acting()

    def _feed(self, key: bytes | None, value: bytes | None, offset: int) -> bool:
        if key is None or key.startswith(b"artifact/"):
            return False
        try:
            self._state.feed(key, value)
        except (ContractError, SignatureError) as error:  # scorers raise the alert
            _log.warning("monitor_model_record_refused", offset=offset, why=str(error))
        return True

    def _take(self) -> int:
        release = self._state.release
        if release is None:
            return 0
        champion = self._state.manifests.get(release.champion or "")
        line = {release.champion, release.canary, release.previous, *release.earlier} - {release.withdrawn}
        self.acting = Acting(
            release.epoch,
            champion,
            tuple(release.shadows),
            {
                version: manifest.score_bins
                for version, manifest in self._state.manifests.items()
                if version in line and manifest.score_bins is not None
            },
        )
        return release.epoch
