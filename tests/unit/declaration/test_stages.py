"""Which stages a pipeline needs, and where none are possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from feature_store.declaration.stages import seen_at
from feature_store.errors import ConfigError
from feature_store.log import log_schema
from streams.kafka import pipeline_topics
from tests.support.payments import private_pipeline, shipped_tree

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


def staged(folder: Path, *windows: dict[str, Any], **changes: Any) -> Pipeline:
    features = shipped_tree()["features"] | {"staged": True}
    features["windows"] = [{"entity": "customer_id", "windows": ["1h"], "count": True}]
    features["windows"] += [{"windows": ["1h"], "count": True} | each for each in windows]
    decision = shipped_tree()["decision"] | {"cold_start": []}
    return private_pipeline(folder, "unit", features=features, decision=decision, **changes)[1]


def plan(pipeline: Pipeline) -> list[tuple[str, set[str]]]:
    return [(each.key, {"+".join(entity) for entity in each.entities}) for each in pipeline.stages]


def test_what_the_key_determines_needs_no_stages(tmp_path: Path) -> None:
    assert staged(tmp_path, {"entity": ["customer_id", "terminal_id"]}).stages == ()


def test_each_further_entity_has_a_stage_and_a_composite_shares_one(tmp_path: Path) -> None:
    pipeline = staged(
        tmp_path,
        {"entity": ["device_id", "terminal_id"]},
        {"entity": "terminal_id"},
        {"entity": "merchant_id"},
    )
    assert plan(pipeline) == [
        ("customer_id", {"customer_id"}),
        ("terminal_id", {"terminal_id", "device_id+terminal_id"}),
        ("merchant_id", {"merchant_id"}),
    ]
    assert pipeline.global_features == ()


def test_outcomes_are_counted_in_the_last_stage_even_those_of_the_key(tmp_path: Path) -> None:
    pipeline = staged(
        tmp_path, {"entity": "terminal_id"}, {"entity": ["customer_id", "card_id"], "fraud_rate": True}
    )
    assert plan(pipeline) == [
        ("customer_id", {"customer_id"}),
        ("terminal_id", {"terminal_id"}),
        ("customer_id", {"customer_id+card_id"}),
    ]
    assert [pipeline.at(stage).outcome_fields for stage in pipeline.stages] == [
        (), (), ("customer_id", "card_id"),
    ]  # fmt: skip


def test_frauds_of_any_entities_are_counted_each_in_its_own_stage(tmp_path: Path) -> None:
    pipeline = staged(
        tmp_path,
        {"entity": "customer_id", "windows": ["2h"], "frauds": True},
        {"entity": "merchant_id", "frauds": True, "fraud_rate": True},
        {"entity": "device_id"},
        {"entity": ["terminal_id", "country"], "frauds": True},
    )
    assert [each.key for each in pipeline.stages] == [
        "customer_id",
        "device_id",
        "terminal_id",
        "merchant_id",
    ]
    assert [stage.number for stage in pipeline.counting_stages] == [0, 2]
    assert [pipeline.at(stage).outcome_fields for stage in pipeline.stages] == [
        ("customer_id",),
        (),
        ("terminal_id", "country"),
        ("customer_id", "merchant_id", "terminal_id", "country"),
    ]
    read = [pipeline.at(stage).topics.entity_outcomes for stage in pipeline.stages]
    assert (read[0], read[2:]) == (
        "unit-stages-0-customer_id-outcomes",
        ["unit-stages-2-terminal_id-outcomes", pipeline.topics.entity_outcomes],
    )
    made = {spec.name for spec in pipeline_topics(pipeline)}
    assert {read[0], *read[2:]} <= made
    assert read[1] not in made
    assert {"seq_0", "known_0", "seq_1", "seq_2", "known_2"} <= set(log_schema(pipeline).names)
    assert "known_1" not in log_schema(pipeline).names


def test_rates_of_two_entities_without_a_common_field_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="customer_id and terminal_id, which no one field determines"):
        staged(
            tmp_path,
            {"entity": "customer_id", "windows": ["2h"], "fraud_rate": True},
            {"entity": "terminal_id", "fraud_rate": True},
            {"entity": "merchant_id", "frauds": True},
        )


def test_what_a_staged_pipeline_cannot_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"serving\.delivery: a staged pipeline"):
        staged(tmp_path, {"entity": "terminal_id"}, serving={"delivery": "at_least_once"})


def test_every_stage_reads_what_the_one_before_writes_under_a_name_of_its_own(tmp_path: Path) -> None:
    pipeline = staged(tmp_path, {"entity": "terminal_id"}, {"entity": "merchant_id"})
    first, middle, last = (pipeline.at(stage) for stage in pipeline.stages)
    assert first.topics.events == pipeline.topics.events
    assert (first.topics.decisions, middle.topics.decisions) == (middle.topics.events, last.topics.events)
    assert (last.topics.decisions, last.topics.features) == (
        pipeline.topics.decisions, pipeline.topics.features,
    )  # fmt: skip
    assert len({each.topics.features for each in (first, middle, last)}) == 3
    assert [each.name for each in (first, middle, last)] == ["unit.stage-0", "unit.stage-1", "unit"]
    assert pipeline.deciding.event.key == "merchant_id"
    assert pipeline.deciding.whole is pipeline


def test_a_scorer_says_which_stage_it_is_of(tmp_path: Path) -> None:
    pipeline = staged(tmp_path, {"entity": "terminal_id"})
    assert seen_at(pipeline, 1).event.key == "terminal_id"
    for number in (None, 2):
        with pytest.raises(
            ConfigError, match=r"say --stage with one of 0 \(customer_id\), 1 \(terminal_id\)"
        ):
            seen_at(pipeline, number)
    with pytest.raises(ConfigError, match="is not staged"):
        seen_at(staged(tmp_path), 1)
