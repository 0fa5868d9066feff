"""Sink workers beside a sink, stepped by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.kafka import group_consumer
from tests.unit.keeper.written import until
from training.sink.folder import folder_of
from training.sink.reading import cluster_of
from training.sink.worker import SinkWorker

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Consumer
    from training.keeper.parts import Parts
    from training.keeper.sink import Sink
    from training.sink.folder import SinkFolder


def with_workers(pipeline: Pipeline, workers: int = 1) -> Pipeline:
    """The same pipeline; its workers write at every turn."""
    spec = pipeline.training.sink.model_copy(update={"workers": workers, "every": 1})
    training = pipeline.training.model_copy(update={"sink": spec})
    return pipeline.model_copy(update={"training": training})


class Working:
    """One worker that has joined the group."""

    def __init__(self, pipeline: Pipeline, bootstrap: str, state_dir: Path) -> None:
        self.folder: SinkFolder = folder_of(pipeline, state_dir)
        self.consumer: Consumer = group_consumer(
            bootstrap, f"sluicegate.{pipeline.name}.sink", session_timeout_ms=6_000, end_events=True
        )
        self.worker = SinkWorker(pipeline, self.consumer, self.folder, cluster_of(self.consumer))
        assert self.worker.begin()

    def close(self) -> None:
        """Leave the group, as a process that ended does."""
        self.consumer.close()


def taken_up_to_the_ends(sink: Sink, parts: Parts, *workers: SinkWorker) -> None:
    """Let all of them work until the store has what is on the topics."""

    def step() -> None:
        for worker in workers:
            worker.turn()
        sink.step()

    ends = parts.ends()
    until(lambda: all(parts.progress.offsets().get(at, 0) >= end for at, end in ends.items()), step)
