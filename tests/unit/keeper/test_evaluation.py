"""How well champions and shadows did, from what the keeper has stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.keeper.written import START, until, write_batches, write_outcomes
from training.keeper.evaluation import evaluate
from training.keeper.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts

SIZE = 40
DAY = 86_400_000_000


@pytest.fixture
def parts(new_parts: Callable[..., Parts], pipeline: Pipeline, bootstrap: str) -> Parts:
    """A keeper with scored events; the last of each partition are frauds. A shadow scored those of one."""
    write_batches(pipeline, bootstrap, 0, batches=1, size=SIZE)
    frauds = [
        {
            "event_id": f"e{p}-{at}",
            "label": "fraud",
            "observed_at": "2026-01-02T00:00:00Z",
            "source": "chargeback",
        }
        for p in (0, 1)
        for at in range(SIZE - 4, SIZE)
    ]
    write_outcomes(pipeline, bootstrap, [json.dumps(each).encode() for each in frauds], START + DAY)
    made = new_parts()
    sink = Sink(made)
    counts = "SELECT (SELECT count(*) FROM decisions), (SELECT count(*) FROM outcomes)"
    until(lambda: made.store.execute(counts).fetchone() == (2 * SIZE, len(frauds)), sink.step)
    sink.close()
    made.store.execute(
        "UPDATE scored SET model = 'v1', score = 0.5, margin = 0.0 WHERE source_offset % 10 <> 0"
    )
    made.store.execute(
        "UPDATE decisions SET message = replace(message, '\"shadow\":{}', "
        '\'"shadow":{"v2":\' || source_offset / 100.0 || \',"v.3":0.5}\') WHERE source_partition = 1'
    )
    made.clock.observe(START + 9 * DAY)
    return made


def test_a_shadow_is_judged_on_what_it_scored_beside_what_acted_there(parts: Parts) -> None:
    found = evaluate(parts)
    assert (found["events"], found["frauds"]) == (2 * 36, 2 * 4)
    assert [each["version"] for each in found["models"]] == ["v1"]
    by_version = {each["version"]: each for each in found["shadows"]}
    assert list(by_version) == ["v.3", "v2"]
    right, blind = by_version["v2"], by_version["v.3"]
    assert (right["events"], right["frauds"]) == (36, 4), "one partition, where there was a score"
    assert right["average_precision"] == pytest.approx(1.0)
    assert right["acting"] == blind["average_precision"] == pytest.approx(4 / 36)
    assert right["difference"]["value"] == pytest.approx(32 / 36)
    assert right["difference"]["low"] > 0.5, "all its frauds stand above all else"
    assert right["measured"]["overall"]["roc_auc"]["value"] == 1.0
    assert json.loads(json.dumps(found)) == found


def test_what_was_stopped_is_judged_by_its_control_group_or_counted_as_uncorrected(parts: Parts) -> None:
    stop = """
        UPDATE scored SET action = 'decline', policy_action = 'decline', propensity = $propensity
        WHERE model IS NOT NULL AND source_offset >= $first
    """
    parts.store.execute(stop, {"propensity": 0.0, "first": SIZE - 4})
    found = evaluate(parts)
    assert (found["events"], found["frauds"], found["uncorrected"]) == (2 * 36, 2 * 4, 2 * 4)
    parts.store.execute(stop, {"propensity": 0.02, "first": SIZE - 4})
    found = evaluate(parts)
    assert (found["events"], found["frauds"], found["uncorrected"]) == (2 * 32, 0, 0)
    assert found["average_precision"] is None


def test_a_long_history_is_counted_and_its_newest_part_measured(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.keeper.evaluation._RECENT", 30)
    found = evaluate(parts)
    assert (found["events"], found["measured"]["overall"]["events"]) == (2 * 36, 30)
    assert sum(each["measured"]["overall"]["events"] for each in found["models"]) == 30


def test_without_shadows_there_are_none_to_judge(parts: Parts) -> None:
    parts.store.execute("UPDATE decisions SET message = '{\"shadow\":{}}'")
    assert evaluate(parts)["shadows"] == []
