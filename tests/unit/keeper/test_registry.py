"""The registry: it follows releases, survives gaps and older stores, and forgets nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import msgspec
import pytest
from msgspec.structs import replace

from tests.unit.keeper.test_publish import manifest
from training.contract import TrainingResult
from training.keeper.release.lineage import lineage_of
from training.keeper.release.registry import Registry
from training.keeper.runs import Run
from training.keeper.store import open_keeper_store
from training.releases import NOTHING, canary, chain, end_canary, promote, roll_back, shadow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Release
    from training.releases import Step

AT = "2026-01-01T00:00:00Z"


@pytest.fixture
def registry(tmp_path: Path, pipeline: Pipeline) -> Iterator[Registry]:
    store = open_keeper_store(tmp_path / "keeper.duckdb", pipeline)
    yield Registry(store)
    store.close()


def after(now: Release, *steps: Step) -> Release:
    step = chain(*steps)
    return replace(
        step(replace(now, withdrawn=None)), epoch=now.epoch + 1, released_at=AT, why="test", by="hand"
    )


def states(registry: Registry) -> dict[str, str]:
    return {version: each.state for version, each in registry.present().items()}


def test_states_follow_releases_and_a_second_telling_changes_nothing(registry: Registry) -> None:
    first = after(NOTHING, promote("m1"))
    registry.follow(first)
    second = after(first, shadow("m2"), canary("m3", 0.2))
    for _ in range(2):
        registry.follow(second)
    assert states(registry) == {"m1": "champion", "m2": "shadow", "m3": "canary"}
    third = after(second, end_canary)
    registry.follow(third)
    registry.follow(after(third, promote("m2")))
    assert states(registry) == {"m1": "retired", "m2": "champion", "m3": "rolled_back"}
    m2 = next(each for each in registry.all() if each["version"] == "m2")
    assert [(each.state, each.epoch, each.by) for each in m2["states"]] == [
        ("shadow", 2, "hand"),
        ("champion", 4, "hand"),
    ]
    assert (m2["epoch"], m2["lineage"]) == (2, None)
    assert registry.was_rolled_back("m3")
    assert not registry.was_rolled_back("m1")


def test_releases_that_were_missed_lead_to_the_same_states(registry: Registry) -> None:
    first = after(NOTHING, promote("m1"))
    registry.follow(first)
    last = after(after(after(first, promote("m2")), promote("m3")), roll_back({"m1", "m2", "m3"}))
    registry.follow(last)
    assert states(registry) == {"m1": "retired", "m2": "champion"}


def test_an_older_release_changes_nothing(registry: Registry) -> None:
    first = after(NOTHING, promote("m1"))
    second = after(first, promote("m2"))
    registry.follow(second)
    registry.follow(first)
    assert states(registry) == {"m2": "champion"}


def test_a_canary_of_another_share_begins_anew(registry: Registry) -> None:
    first = after(NOTHING, promote("m1"), canary("m2", 0.1))
    registry.follow(first)
    registry.follow(after(first, shadow("m3")))
    assert registry.present()["m2"].epoch == 1
    registry.follow(after(after(first, shadow("m3")), canary("m2", 0.3)))
    assert registry.present()["m2"].epoch == 3


def test_a_refused_version_stands_with_lineage_and_reasons(registry: Registry, pipeline: Pipeline) -> None:
    run = Run("r1", "schedule", 5, False, "running", 1)
    result = TrainingResult("r1", "refused", ["worse"], 5, metrics={"average_precision": 0.25})
    trained = manifest(pipeline, 1, b"trees")
    for _ in range(2):  # an interrupted run is noted again
        registry.add("m1", "r1", trained, lineage_of(run, result, trained, "m0", pipeline))
    registry.refuse("m1", 7, "worse")
    (found,) = registry.all()
    assert (found["state"], found["states"][0].why, found["states"][0].since) == ("refused", "worse", 7)
    lineage = found["lineage"]
    assert (lineage["parent"], lineage["reasons"], lineage["metrics"]) == (
        "m0",
        ["worse"],
        {"average_precision": 0.25},
    )
    assert lineage["definitions"] == {each.name: each.hash for each in trained.features}
    assert lineage["package"].startswith("sluicegate ")
    assert found["manifest"]["version"] == trained.version


def test_an_older_store_opens_and_keeps_its_models(tmp_path: Path, pipeline: Pipeline) -> None:
    path = tmp_path / "older.duckdb"
    open_keeper_store(path, pipeline).close()
    older = duckdb.connect(str(path))
    older.execute("UPDATE about SET value = '1' WHERE name = 'schema_version'")
    older.execute("DROP TABLE models")
    older.execute("DROP TABLE model_states")
    older.execute(
        "CREATE TABLE models (version VARCHAR NOT NULL, epoch BIGINT NOT NULL, run_id VARCHAR NOT NULL, "
        "manifest VARCHAR NOT NULL)"
    )
    told = msgspec.json.encode(manifest(pipeline, 1, b"trees")).decode()
    older.execute("INSERT INTO models VALUES ('m1', 1, 'r1', $told), ('m2', 2, 'r2', $told)", {"told": told})
    older.close()
    store = open_keeper_store(path, pipeline)
    registry = Registry(store)
    registry.follow(replace(NOTHING, epoch=2, champion="m2", released_at=AT, why="before"))
    assert [(each["version"], each["state"], each["run_id"]) for each in registry.all()] == [
        ("m1", "retired", "r1"),
        ("m2", "champion", "r2"),
    ]
    store.close()
