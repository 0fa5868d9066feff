"""What acts now, as the models topic says: live events are held against the champion's manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import ContractError
from streams.following import TopicFollower
from streams.models.assembly import ModelsTopic
from streams.models.signature import SignatureError

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest

_log = structlog.get_logger()


@dataclass(frozen=True)
class Acting:
    """One release: its champion's manifest, None where none may be used, and the versions beside it.

    ``line``: the champion and those before it, but for what was withdrawn: the gate lets no champion follow
    whose scores lie elsewhere, so theirs of the last day are held against the same reference.
    """

    epoch: int = 0
    champion: Manifest | None = None
    shadows: tuple[str, ...] = ()
    line: tuple[str, ...] = ()


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
        line = (release.champion, release.previous, *release.earlier)
        self.acting = Acting(
            release.epoch,
            champion,
            tuple(release.shadows),
            tuple(each for each in line if each is not None and each != release.withdrawn),
        )
        return release.epoch
