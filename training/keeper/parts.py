"""What the keeper's threads share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from training.keeper.place import TAKE_OVER_S
from training.keeper.release.registry import Registry
from training.sole_producer import by_nobody_else

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.clock import Clock
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from training.keeper.alerts import Alerts
    from training.keeper.ends import Ends
    from training.keeper.progress import Progress
    from training.publish import Publisher


@dataclass(frozen=True)
class KeeperSettings:
    """How a keeper is started; ``api_port`` 0 takes a free one, ``host`` is the address it is on.

    ``metrics_port`` None: as the pipeline file declares; 0: nowhere. ``signing_key`` is a file: with it, what
    is published is signed. Another keeper of the pipeline that was silent for ``take_over_s`` is replaced.
    """

    config: Path
    bootstrap: str
    state_dir: Path
    api_port: int = 0
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    signing_key: Path | None = None
    host: str = "127.0.0.1"
    take_over_s: float = TAKE_OVER_S


@dataclass(frozen=True)
class Parts:
    """Everything that is made once; each part may be used from any thread, the store through cursors."""

    settings: KeeperSettings
    pipeline: Pipeline
    clock: Clock
    store: Connection
    progress: Progress
    publisher: Publisher
    alert: Alerts
    ends: Ends
    writing: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever writes to the tables that the sink fills: one at a time."""
    late_came: threading.Event = field(default_factory=threading.Event)
    """Set when late events were stored whose decisions may be amended."""
    confirm: Callable[[], None] = by_nobody_else
    """Raises where this is the pipeline's keeper no more; called after a producer was made anew."""

    @property
    def config(self) -> Path:
        """The pipeline file."""
        return self.settings.config

    def run_folder(self, run_id: str) -> Path:
        """Where a training run's files are."""
        return self.settings.state_dir / "runs" / run_id

    @cached_property
    def registry(self) -> Registry:
        """Every version and what became of it."""
        return Registry(self.store)
