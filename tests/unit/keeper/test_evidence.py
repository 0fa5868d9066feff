"""What the keeper tells about one event, asked while it runs and while it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from feature_store.errors import StorageError
from streams.messages import Decision, PolicyDocument, PolicyRule
from tests.unit.keeper.written import event_id, until, write_batches
from training.keeper.evidence import evidence, evidence_offline, told_evidence
from training.keeper.queries import sql
from training.keeper.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts


@pytest.fixture
def parts(new_parts: Callable[..., Parts], pipeline: Pipeline, bootstrap: str) -> Parts:
    parts = new_parts()
    write_batches(pipeline, bootstrap, 0, batches=2, size=5)
    sink = Sink(parts)

    def counts() -> int:
        return int(parts.store.execute("SELECT count(*) FROM decisions").fetchall()[0][0])

    until(lambda: counts() == 20, sink.step)
    sink.close()
    parts.store.execute(
        "INSERT INTO outcomes VALUES (0, 0, 'e1-7', 'fraud', 'analyst', '2026-01-02', '2026-01-03')"
    )
    return parts


def test_everything_about_one_event(parts: Parts, pipeline: Pipeline) -> None:
    (found,) = told_evidence(parts, event_id(1, 7))
    assert found.event["card"] == "c0"
    assert found.features == {"amount_eur": 8.0, "card_count_1h": None}
    assert found.hashes == {feature.name: feature.hash for feature in pipeline.feature_vector}
    scored = found.scored
    assert (scored.source_partition, scored.source_offset, scored.rules) == (1, 7, ["a_rule"])
    assert (scored.margin, scored.model, scored.action) == (None, None, "approve")
    assert scored.arrived_at == "2026-01-01T00:07:00Z"
    assert (found.release_epoch, found.policy_offset) == (0, -1)
    assert found.decision is not None
    assert msgspec.json.decode(found.decision, type=Decision).event_id == "e1-7"
    assert found.amendments == []
    assert [(each.label, each.source, each.arrived_at) for each in found.outcomes] == [
        ("fraud", "analyst", "2026-01-03T00:00:00Z")
    ]


def test_the_policy_that_decided_is_told_with_its_rules(parts: Parts, pipeline: Pipeline) -> None:
    rule = PolicyRule("a_rule", "amount > 5", "review")
    policy = PolicyDocument(pipeline.name, 3, "2026-01-01T00:00:00Z", "alice", "too many", rules=[rule])
    parts.store.execute(sql("create_policies"))
    written = {"version": 3, "offset": 11, "made_at": policy.made_at, "made_by": "alice", "why": "too many"}
    parts.store.execute(sql("add_policy"), {**written, "document": msgspec.json.encode(policy).decode()})
    parts.store.execute("UPDATE batches SET policy_offset = 11")
    (found,) = told_evidence(parts, event_id(1, 7))
    assert found.policy == policy


def test_an_event_that_is_not_there(parts: Parts) -> None:
    with pytest.raises(LookupError, match="no event 'e9' is stored"):
        told_evidence(parts, "e9")


def test_ids_that_are_there_twice_are_told_both(parts: Parts, pipeline: Pipeline) -> None:
    parts.store.execute("UPDATE scored SET event_id = 'e1-7' WHERE event_id = 'e0-2'")
    found = evidence(parts.store, pipeline, "e1-7")
    assert [each.scored.source_offset for each in found] == [2, 7]


def test_the_same_from_the_store_alone(parts: Parts, pipeline: Pipeline, tmp_path: Path) -> None:
    told = told_evidence(parts, event_id(0, 3))
    parts.store.close()
    assert evidence_offline(parts.settings.state_dir, pipeline, event_id(0, 3)) == told
    with pytest.raises(StorageError, match="there is no store"):
        evidence_offline(tmp_path / "elsewhere", pipeline, "e")
