"""Of decisions, the first about each event counts, on whichever partition of decisions it lies."""

from __future__ import annotations

import pyarrow as pa

from feature_store.claims import Claims
from training.keeper.counted import Counted

_NAMES = ["source_topic", "source_partition", "partition", "source_offset"]


def decisions(*rows: tuple[int, int, int]) -> pa.Table:
    """Of source partition, own partition and source offset."""
    return pa.Table.from_pylist([dict(zip(_NAMES, ("events", *row), strict=True)) for row in rows])


def test_a_decision_behind_the_last_of_its_partition_is_there_already() -> None:
    counted = Counted(Claims({}), {("events", 0, 0): 4})
    assert counted.new(decisions((0, 0, 4), (0, 0, 5), (1, 1, 0), (0, 0, 5), (1, 1, 1))).tolist() == [
        False,
        True,
        True,
        False,
        True,
    ]
    assert counted.new(decisions((0, 0, 5), (0, 0, 6))).tolist() == [False, True]


def test_decisions_of_a_staged_pipeline_lie_on_all_partitions() -> None:
    counted = Counted(Claims({}), {("events", 0, 0): 7})
    first = counted.new(decisions((0, 1, 2), (0, 1, 5), (0, 2, 3), (0, 1, 4)))
    assert first.tolist() == [True, True, True, False]
    assert counted.new(decisions((0, 2, 4), (0, 0, 8), (0, 3, 0))).all()


def test_every_way_of_a_batch_is_counted_for_itself() -> None:
    rows = [(at * 7 % 5, at * 11 % 4, at // 2) for at in range(400)]
    last: dict[tuple[int, int], int] = {}
    wanted = []
    for source, partition, offset in rows:
        wanted.append(offset > last.get((source, partition), -1))
        last[source, partition] = max(offset, last.get((source, partition), -1))
    counted = Counted(Claims({}), {})
    assert counted.new(decisions(*rows)).tolist() == wanted
    assert not counted.new(decisions(*((*way, offset) for way, offset in last.items()))).any()
    assert not counted.new(decisions(*rows).slice(0, 0)).any()
