"""What the keeper's threads share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from streams.kafka import end_offsets, reader
from training.keeper.queries import sql

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.clock import Clock
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from streams.messages import Manifest
    from training.keeper.alerts import Alerts
    from training.keeper.progress import Offsets, Progress
    from training.publish import Publisher


@dataclass(frozen=True)
class KeeperSettings:
    """How a keeper is started; ``api_port`` 0 takes a free one."""

    config: Path
    bootstrap: str
    state_dir: Path
    api_port: int = 0


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
    _asking: threading.Lock = field(default_factory=threading.Lock)

    @property
    def config(self) -> Path:
        """The pipeline file."""
        return self.settings.config

    @property
    def sunk_topics(self) -> tuple[str, str, str]:
        """The topics that go into the store."""
        topics = self.pipeline.topics
        return topics.features, topics.decisions, topics.outcomes

    def run_folder(self, run_id: str) -> Path:
        """Where a training run's files are."""
        return self.settings.state_dir / "runs" / run_id

    def ends(self) -> Offsets:
        """(topic, partition) -> the committed end of every topic that is sunk. Raises BrokerError."""
        with self._asking:
            asking = reader(self.settings.bootstrap)
            try:
                return {
                    (topic, partition): end
                    for topic in self.sunk_topics
                    for partition, end in end_offsets(asking, topic).items()
                }
            finally:
                asking.close()

    def record_model(self, manifest: Manifest, epoch: int, run_id: str) -> None:
        """Note in the store what was published; the topic remains the truth."""
        with self.store.cursor() as cursor:
            cursor.execute(
                sql("add_model"),
                {
                    "version": manifest.version,
                    "epoch": epoch,
                    "run_id": run_id,
                    "manifest": msgspec.json.encode(manifest).decode(),
                },
            )
