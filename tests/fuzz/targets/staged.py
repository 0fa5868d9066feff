"""Between stages: only a stage writes there, and what anybody else writes is a dead letter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from feature_store.carried import HEADER, times_of
from feature_store.clock import StreamClock
from feature_store.units import FIRST_INSTANT, LAST_INSTANT
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord
from tests.fuzz.target import MARK, Ready, Target, pieces
from tests.support.payments import MONDAY, SECOND, encoded
from tests.support.staged import staged_pipeline

if TYPE_CHECKING:
    from pathlib import Path

_EVENTS = 6


def _between_stages(folder: Path) -> Ready:
    pipeline = staged_pipeline(folder)[1]
    first, second = (ScorerCore(pipeline.at(stage), StreamClock()) for stage in pipeline.stages[:2])
    first.add_partition(0, 0)
    sent = [SourceRecord(0, n, *encoded(n), MONDAY // 1_000, MONDAY + n * SECOND) for n in range(_EVENTS)]
    forwarded = first.step(sent, Acting(0, None), []).forwarded
    seeds = []
    for each in forwarded:
        carried = next(value for name, value in each.headers or () if name == HEADER)
        seeds.append(
            MARK.join([each.key or b"", carried if isinstance(carried, bytes) else b"", each.value or b""])
        )

    def check(data: bytes) -> None:
        key, carried, value = pieces(data, 3)
        times = times_of(carried)
        record_time, arrived = (MONDAY // 1_000, MONDAY) if times is None else times
        assert FIRST_INSTANT <= arrived <= LAST_INSTANT
        second.add_partition(0, 0)
        result = second.step(
            [SourceRecord(0, 0, key, value, record_time, arrived, (), carried)], Acting(0, None), []
        )
        for decided in result.decided:
            json.loads(decided.message)
        assert len(result.decided) + len(result.forwarded) + len(result.refused) == 1
        second.rollback()
        second.drop_partition(0)

    return Ready(
        check, seeds, [MARK, b"S1", b"\xff" * 8, b"\0" * 8, b"\xff\xff\xff\x7f", msgspec.json.encode(None)]
    )


TARGETS = [Target("between-stages", "events between two stages, and what they carry", _between_stages)]
