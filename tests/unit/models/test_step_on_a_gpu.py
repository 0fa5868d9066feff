"""A whole step of a scorer whose champion is on a GPU: decided as on a CPU, written down as what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from feature_store.clock import StreamClock
from feature_store.log import decode_log
from streams.models.champion import load_champion
from streams.models.cuda import CLOSE
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord
from tests.support.gpu import GPU
from tests.support.payments import MONDAY, SECOND, encoded, private_pipeline
from tests.support.scored import fitted

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.declaration.serving import Device

pytestmark = GPU


def records(count: int) -> list[SourceRecord]:
    found = []
    for number in range(count):
        arrived = MONDAY + number * SECOND
        key, value = encoded(number, amount=float(number % 400))
        found.append(SourceRecord(0, number, key, value, arrived // 1_000, arrived))
    return found


def decided(pipeline: Pipeline, device: Device) -> tuple[dict[str, list[Any]], list[dict[str, Any]]]:
    """The columns of the feature log, and the decisions, of one step."""
    manifest, artifact = fitted(pipeline, "m-1", "xgboost")
    champion = load_champion(manifest, artifact, pipeline.feature_vector, device=device)
    core = ScorerCore(pipeline, StreamClock())
    core.add_partition(0, 0)
    result = core.step(records(300), Acting(1, champion))
    core.commit()
    assert result.failures == {}
    log, _ = decode_log(result.log[0].message)
    return log.to_pydict(), [msgspec.json.decode(each.message) for each in result.decided]


def test_a_step_decides_as_on_a_cpu_and_says_what_scored(tmp_path: Path) -> None:
    pipeline = private_pipeline(tmp_path, "unit", serving={"explanations": "path"})[1]
    log, decisions = decided(pipeline, "cuda")
    on_cpu, expected = decided(pipeline, "cpu")
    assert (set(log["engine"]), set(on_cpu["engine"])) == ({"xgboost-cuda"}, {"xgboost-packed"})
    assert np.abs(np.array(log["margin"]) - np.array(on_cpu["margin"])).max() <= CLOSE
    assert log["policy_action"] == on_cpu["policy_action"]
    assert len(set(log["policy_action"])) > 1
    reasons = [decision["reasons"] for decision in decisions]
    assert any(reasons)
    assert reasons == [decision["reasons"] for decision in expected]
