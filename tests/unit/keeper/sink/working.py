"""Sink workers beside a sink, stepped by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from streams.kafka import group_consumer, leave
from tests.support.handing import HandedOverWithin
from tests.unit.keeper.written import until
from training.sink.folder import folder_of, kinds_of
from training.sink.reading import cluster_of
from training.sink.stretch import covered
from training.sink.worker import SinkWorker

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Consumer
    from training.keeper.parts import Parts
    from training.keeper.sink import Sink


NewWorker = Callable[..., "Working"]
"""Starts a worker."""


def with_workers(pipeline: Pipeline) -> Pipeline:
    """The same pipeline with a worker, which writes at every turn."""
    spec = pipeline.training.sink.model_copy(update={"workers": 1, "every": 1})
    training = pipeline.training.model_copy(update={"sink": spec})
    return pipeline.model_copy(update={"training": training})


class Working:
    """One worker that has joined the group."""

    def __init__(self, pipeline: Pipeline, bootstrap: str, state_dir: Path) -> None:
        self.folder = folder_of(pipeline, state_dir)
        self.topics = kinds_of(pipeline)
        group = f"sluicegate.{pipeline.name}.sink"
        self._consumer = group_consumer(bootstrap, group, session_timeout_ms=6_000, end_events=True)
        self.handing = HandedOverWithin(self._consumer, bootstrap, group, [*self.topics])
        consumer = cast("Consumer", self.handing)
        self.worker = SinkWorker(pipeline, consumer, self.folder, cluster_of(self._consumer))
        assert self.worker.begin()

    def close(self) -> None:
        """Leave the group, as a process that ended does."""
        leave(self._consumer)

    def reached(self) -> dict[tuple[str, int], int]:
        """How far each partition of a topic is written down without a gap."""
        stretches, taken = self.folder.stretches(), self.folder.taken()
        assert taken is not None
        return {
            (topic, partition): covered(stretches.get((kind, partition), ()), at)
            for topic, kind in self.topics.items()
            for partition, at in taken.offsets[kind].items()
        }


def taken_up_to_the_ends(sink: Sink, parts: Parts, *workers: Working) -> None:
    """Let all of them work until the store has what is on the topics."""

    def step() -> None:
        for each in workers:
            each.worker.turn()
        sink.step()

    ends = parts.ends()
    until(
        lambda: all(parts.progress.offsets().get(at, 0) >= end for at, end in ends.items()), step, most=1_000
    )
