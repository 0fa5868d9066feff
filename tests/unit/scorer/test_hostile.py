"""What a producer may write and a model may answer without stopping or fooling the scorer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from feature_store.clock import StreamClock
from feature_store.log import decode_log
from streams.models.champion import load_champion
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord, StepResult
from streams.scorer.replay import replay
from tests.support.models import small_model
from tests.support.payments import MONDAY, SECOND, encoded, private_pipeline, shipped_tree

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.models.engine import Vector

COLD = Acting(0, None)


def core_of(pipeline: Pipeline) -> ScorerCore:
    core = ScorerCore(pipeline, StreamClock())
    core.add_partition(0, 0)
    return core


def payment(number: int, **changes: Any) -> SourceRecord:
    key, value = encoded(number, customer_id="c1", **changes)
    arrived_at = MONDAY + 86_400 * SECOND
    return SourceRecord(0, number, key, value, arrived_at // 1_000, arrived_at)


def decided(result: StepResult) -> list[dict[str, Any]]:
    return [msgspec.json.decode(each.message) for each in result.decided]


def rows(result: StepResult) -> list[dict[str, Any]]:
    return decode_log(result.log[0].message)[0].to_pylist()


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_outside_the_years_that_can_be_written_is_a_dead_letter(tmp_path: Path, time: str) -> None:
    result = core_of(private_pipeline(tmp_path, "unit")[1]).step([payment(1, event_time=time)], COLD)
    assert [refused.reason for refused in result.refused] == ["invalid_field"]


def test_the_earliest_time_is_written_with_four_digits(tmp_path: Path) -> None:
    core = core_of(private_pipeline(tmp_path, "unit")[1])
    result = core.step([payment(1, event_time="0001-01-01T00:00:00Z")], COLD)
    assert decided(result)[0]["event_time"] == "0001-01-01T00:00:00.000000Z"


def test_sums_too_large_for_a_float_are_null_not_fatal(tmp_path: Path) -> None:
    tree = shipped_tree()
    fields = tree["event"]["fields"] | {"volume": "float"}
    windows = [{"entity": "customer_id", "windows": ["1h"], "sum": "volume", "mean": "volume"}]
    _, pipeline = private_pipeline(
        tmp_path,
        "unit",
        event=tree["event"] | {"fields": fields},
        features=tree["features"] | {"windows": windows},
        decision=tree["decision"] | {"cold_start": []},
    )
    core = core_of(pipeline)
    volumes = [1.5e308, 1.5e308, -1.5e308, -1.5e308, 7.0]
    found = rows(core.step([payment(n, volume=volume) for n, volume in enumerate(volumes)], COLD))
    assert [row["customer_id_sum_volume_1h"] for row in found] == [0.0, None, None, None, 0.0]


class Answering:
    """A model that gives what it is told, row by row."""

    name = "fake"

    def __init__(self, features: int, margins: list[float]) -> None:
        self.features = features
        self._margins = margins

    def margins(self, matrix: Matrix) -> Vector:
        return np.array(self._margins[: len(matrix)])


def test_what_a_model_gives_no_number_for_falls_to_the_cold_start_rules_and_says_so(tmp_path: Path) -> None:
    _, pipeline = private_pipeline(tmp_path, "unit")
    champion = load_champion(*small_model(pipeline, "m1"), pipeline.feature_vector)
    engine = Answering(len(pipeline.feature_vector), [-9.0, np.nan, np.inf, np.nan])
    risky = {"amount": 450, "country": "FR"}
    records = [payment(1, **risky), payment(2, **risky), payment(3, **risky), payment(4)]
    result = core_of(pipeline).step(records, Acting(3, replace(champion, engine=engine)))
    scored, *unscored = decided(result)
    assert (scored["model"], scored["fallback"], scored["rules"]) == ("m1", None, [])
    assert scored["policy_action"] == "approve"
    for found in unscored:
        assert (found["score"], found["model"], found["fallback"]) == (None, None, "no_score")
    assert [found["policy_action"] for found in unscored] == ["review", "review", "approve"]
    assert result.unscored == 3
    logged = rows(result)
    assert [row["margin"] for row in logged] == [-9.0, None, None, None]
    assert [row["fallback"] for row in logged] == [None, *["no_score"] * 3]


def test_a_rule_on_an_undefined_feature_does_not_match(tmp_path: Path) -> None:
    tree = shipped_tree()
    rule = {"name": "dear", "when": "customer_id_mean_amount_1h > 50", "action": "decline"}
    _, pipeline = private_pipeline(tmp_path, "unit", decision=tree["decision"] | {"rules": [rule]})
    result = core_of(pipeline).step([payment(1, amount=90), payment(2), payment(3)], COLD)
    assert [found["rules"] for found in decided(result)] == [[], ["dear"], ["dear"]]


def test_whole_numbers_as_ids_are_known_again_after_a_restart(tmp_path: Path) -> None:
    tree = shipped_tree()
    fields = tree["event"]["fields"] | {"event_id": "integer"}
    _, pipeline = private_pipeline(tmp_path, "unit", event=tree["event"] | {"fields": fields})
    events = [payment(n, event_id=n) for n in range(3)]
    batch, _ = decode_log(core_of(pipeline).step(events, COLD).log[0].message)
    restored = core_of(pipeline)
    assert replay(restored, pipeline, [batch]) == 3
    assert restored.step(events, COLD).duplicates == 3


def test_a_step_before_1970_is_rolled_back_like_any_other(tmp_path: Path) -> None:
    _, pipeline = private_pipeline(tmp_path, "unit")
    core = core_of(pipeline)
    old = [payment(n, event_time=f"1969-12-31T23:59:{n:02}Z") for n in range(3)]
    first = rows(core.step(old, COLD))
    core.rollback()
    assert rows(core.step(old, COLD)) == first


def test_ids_past_the_window_do_not_pile_up_while_the_log_is_replayed(tmp_path: Path) -> None:
    tree = shipped_tree()
    short = tree["decision"] | {"duplicates": {"window": "1m"}}
    _, pipeline = private_pipeline(tmp_path, "unit", decision=short)
    core, restored = core_of(pipeline), core_of(pipeline)
    for hour in range(5):
        events = [payment(10 * hour + n) for n in range(10)]
        later = [e._replace(arrived_at=e.arrived_at + hour * 3_600 * SECOND) for e in events]
        batch, _ = decode_log(core.step(later, COLD).log[0].message)
        core.commit()
        for event_id in range(10):
            restored.intake.filter_of(0).remember(f"e{10 * hour + event_id}", b"", later[0].arrived_at)
        let_through = np.ones(10, np.bool_)
        restored.restore([0] * 10, batch.select(list(pipeline.event.fields)), let_through, 10 * hour + 10)
    assert len(restored.intake.filter_of(0)) == 10
