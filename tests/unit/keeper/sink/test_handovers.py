"""A sink worker whose partitions are lost and regained while it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.keeper.sink.test_handed import assert_once
from tests.unit.keeper.sink.working import taken_up_to_the_ends, with_workers
from tests.unit.keeper.written import until, write_batches

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from tests.unit.keeper.sink.sinking import NewSink
    from tests.unit.keeper.sink.working import NewWorker


def test_what_was_gathered_before_is_not_left_out(
    new_sink: NewSink, new_worker: NewWorker, pipeline: Pipeline, bootstrap: str
) -> None:
    sink, parts = new_sink(with_workers(pipeline))
    working = new_worker()
    worker = working.worker
    worker._every_s = 3_600  # gather, and write nothing down
    following = write_batches(pipeline, bootstrap, 0, batches=2, size=10)
    partitions = pipeline.topics.partitions
    until(lambda: sum(len(each.messages) for each in worker._held.values()) == 22 * partitions, worker.turn)
    write_batches(pipeline, bootstrap, following, batches=2, size=10)
    working.handing.arm()
    until(lambda: working.handing.handed_over > 0, worker.turn)
    worker._every_s = 0
    taken_up_to_the_ends(sink, parts, working)
    assert_once(parts, 40 * partitions)
