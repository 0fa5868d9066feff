"""Events that come later than declared: flagged, or dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.clock import StreamClock
from feature_store.log import decode_log
from feature_store.units import to_text
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord, StepResult
from tests.support.payments import MONDAY, SECOND, encoded, private_pipeline, shipped_tree

if TYPE_CHECKING:
    from pathlib import Path

COLD = Acting(0, None)
ARRIVED = MONDAY + 86_400 * SECOND


def core_of(folder: Path, policy: str) -> ScorerCore:
    features = shipped_tree()["features"] | {"lateness": "10m", "late": policy}
    core = ScorerCore(private_pipeline(folder, "unit", features=features)[1], StreamClock())
    for partition in (0, 1):
        core.add_partition(partition, 0)
    return core


def payment(offset: int, seconds: int, partition: int = 0, **changes: Any) -> SourceRecord:
    time = to_text(MONDAY + seconds * SECOND)
    given = {"event_id": f"e{offset}", "event_time": time} | changes
    return SourceRecord(partition, offset, *encoded(0, **given), ARRIVED // 1_000, ARRIVED)


def flags(result: StepResult) -> list[bool]:
    """What the decisions say, which is what the log says."""
    said = [msgspec.json.decode(decided.message)["late"] for decided in result.decided]
    logged: list[Any] = []
    for log in result.log:
        logged += decode_log(log.message)[0].column("late").to_pylist()
    assert logged == said
    return said


def test_an_event_is_late_by_the_newest_that_was_applied_before_it(tmp_path: Path) -> None:
    core = core_of(tmp_path, "score")
    assert flags(
        core.step([payment(0, 0), payment(1, 3_600), payment(2, 3_000), payment(3, 2_999)], COLD)
    ) == [
        False,
        False,
        False,
        True,
    ]
    core.commit()
    assert flags(core.step([payment(4, 2_999), payment(5, 3_600)], COLD)) == [True, False]
    core.rollback()
    assert flags(core.step([payment(4, 9_000), payment(5, 8_399), payment(6, 3_599)], COLD)) == [
        False,
        True,
        True,
    ]


def test_each_partition_has_a_newest_of_its_own(tmp_path: Path) -> None:
    core = core_of(tmp_path, "score")
    assert flags(core.step([payment(0, 9_000), payment(0, 0, partition=1, event_id="x")], COLD)) == [
        False,
        False,
    ]


def test_a_newest_that_was_rolled_back_makes_nothing_late(tmp_path: Path) -> None:
    core = core_of(tmp_path, "score")
    core.step([payment(0, 9_000)], COLD)
    core.rollback()
    assert flags(core.step([payment(0, 0)], COLD)) == [False]


def test_a_late_event_is_a_dead_letter_that_says_how_late(tmp_path: Path) -> None:
    core = core_of(tmp_path, "dead_letter")
    result = core.step([payment(0, 9_000), payment(1, 8_399), payment(2, 8_400)], COLD)
    assert [decided.event_id for decided in result.decided] == ["e0", "e2"]
    (refused,) = result.refused
    assert (refused.record.offset, refused.reason) == (1, "late_event")
    assert refused.detail == (
        "2026-01-05T02:19:59.000000Z is 0:10:01 behind the newest event of its partition; "
        "features.lateness is 10m"
    )
    assert decode_log(result.log[0].message)[1].dead_letters == [1]


def test_a_dead_letter_is_not_remembered_but_a_duplicate_is_never_late(tmp_path: Path) -> None:
    core = core_of(tmp_path, "dead_letter")
    first = payment(0, 0)
    core.step([first, payment(1, 9_000)], COLD)
    core.commit()
    late = payment(3, 1)
    result = core.step([first._replace(offset=2), late, late._replace(offset=4)], COLD)
    assert result.duplicates == 1
    assert [refused.reason for refused in result.refused] == ["late_event", "late_event"]
    core.commit()
    reused = core.step([payment(5, 1, event_id="e0")], COLD)
    assert [refused.reason for refused in reused.refused] == ["id_reused"]
