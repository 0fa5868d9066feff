"""The keeper's history, whether the keeper runs or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.errors import ConfigError
from training.keeper.client import KeeperClient, KeeperUnreachableError
from training.keeper.history_export import export_history_offline
from training.keeper.history_import import import_history_offline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


class KeptHistory:
    """What the keeper of ``state_dir`` stores: asked of it while it runs, else done on its store.

    The store is locked: a keeper that starts meanwhile waits for no one, it refuses to start.
    """

    def __init__(self, pipeline: Pipeline, state_dir: Path) -> None:
        self._pipeline = pipeline
        self._state_dir = state_dir

    def take_in(self, folder: Path) -> int:
        """Import a folder of history; returns how many rows it concerned. Raises SluicegateError."""
        taken = self._ask(
            lambda keeper: keeper.import_history(folder),
            lambda: import_history_offline(self._state_dir, self._pipeline, folder),
        )
        return int(taken["rows"])

    def export(self, folder: Path) -> None:
        """Write all that is stored into a new folder. Raises SluicegateError."""
        exported = self._ask(
            lambda keeper: keeper.export_history(folder),
            lambda: export_history_offline(self._state_dir, self._pipeline, folder),
        )
        if exported["pipeline"] != self._pipeline.name:
            raise ConfigError(
                f"the keeper of {self._state_dir} runs the pipeline {exported['pipeline']!r}, not "
                f"{self._pipeline.name!r}; name its pipeline file: --config FILE"
            )

    def _ask(
        self, running: Callable[[KeeperClient], dict[str, Any]], stopped: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        try:
            with KeeperClient(self._state_dir) as keeper:
                return running(keeper)
        except KeeperUnreachableError:  # else the lock says that one runs after all
            return stopped()
