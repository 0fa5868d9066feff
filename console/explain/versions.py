"""The model version that scored an event: from the models topic, else from the folder of its training run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import ContractError, SluicegateError
from training.contract import ARTIFACT
from training.kept import KEPT
from training.publish import read_models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest
    from streams.models.assembly import ModelsTopic
    from training.keeper.evidence import Evidence


class Versions:
    """Finds manifests and artifacts; the topic is read once, when first needed."""

    def __init__(self, pipeline: Pipeline, state_dir: Path, bootstrap: Callable[[], str]) -> None:
        """``bootstrap`` names the broker, or raises BrokerError where none runs."""
        self._pipeline = pipeline
        self._state_dir = state_dir
        self._bootstrap = bootstrap
        self._topic: ModelsTopic | None = None

    def of(self, found: Evidence) -> tuple[Manifest, bytes]:
        """Manifest and artifact of what scored ``found``. Raises SluicegateError: where they were missed."""
        try:
            return self._from_topic(str(found.scored.model))
        except SluicegateError:
            kept = self._from_run(found)
            if kept is None:
                raise
            return kept

    def _from_topic(self, version: str) -> tuple[Manifest, bytes]:
        if self._topic is None:
            self._topic = read_models(self._bootstrap(), self._pipeline)
        manifest = self._topic.manifests.get(version)
        if manifest is None:
            raise ContractError(
                f"model {version} is gone: the models topic keeps the newest {KEPT} versions and what a "
                f"rollback returns to, and {self._state_dir} has no training run of it"
            )
        return manifest, self._topic.artifact(version)

    def _from_run(self, found: Evidence) -> tuple[Manifest, bytes] | None:
        if found.trained is None:
            return None
        try:
            artifact = (self._state_dir / "runs" / found.trained.run_id / ARTIFACT).read_bytes()
        except OSError:
            return None
        return found.trained.manifest, artifact
