"""Metrics: counted per step and per second, read over HTTP, each with a name that is typed once."""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streams.broker.ports import choose_ports
from streams.metrics import (
    ExplainerMetrics,
    Health,
    Listen,
    MonitorMetrics,
    ScorerMetrics,
    Stage,
    Stages,
    listen_at,
    serving_metrics,
)
from streams.metrics import definitions as d
from streams.metrics.histogram import Histogram
from streams.monitor.state import MonitorState
from tests.support.payments import private_pipeline
from tests.unit.metrics.told import A_STATUS, AT_REST

if TYPE_CHECKING:
    from pathlib import Path

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: bytes) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def told(metrics: ScorerMetrics) -> Samples:
    return samples(generate_latest(metrics.registry))


def test_a_step_is_counted() -> None:
    metrics = ScorerMetrics("payments", 1)
    now = time.time() * 1e3
    refused = ["empty", "not_json", "empty"]
    metrics.step(
        [int(now) - 40, int(now) + 9_000], {"approve": 3, "decline": 1}, refused, 2, {"cold_start": 4}
    )
    metrics.step([], {}, [], 0, {})
    metrics.aborted()
    found = told(metrics)
    assert found["sluicegate_records_total", ()] == 2
    assert found["sluicegate_decisions_total", (("action", "approve"),)] == 3
    assert found["sluicegate_dead_letters_total", (("reason", "empty"),)] == 2
    assert found["sluicegate_duplicates_total", ()] == 2
    assert found["sluicegate_fallbacks_total", (("reason", "cold_start"),)] == 4
    assert found["sluicegate_steps_total", ()] == 2
    assert found["sluicegate_aborted_steps_total", ()] == 1
    assert found["sluicegate_latency_seconds_count", ()] == 2
    assert found["sluicegate_latency_seconds_bucket", (("le", "0.001"),)] == 1  # ahead of time counts as 0
    assert found["sluicegate_batch_records_bucket", (("le", "1.0"),)] == 1


def test_stages_are_timed_and_known_before_anything_happens() -> None:
    metrics = ScorerMetrics("payments", 0)
    with metrics.stage(Stage.COMMIT):
        pass
    found = told(metrics)
    counts = {stage: found["sluicegate_step_seconds_count", (("stage", stage.value),)] for stage in Stage}
    assert counts == dict.fromkeys(Stage, 0) | {Stage.COMMIT: 1}
    assert found["sluicegate_step_seconds_sum", (("stage", "commit"),)] > 0


def test_a_stage_that_fails_is_timed_and_the_error_goes_on() -> None:
    metrics = ScorerMetrics("payments", 0)
    with pytest.raises(ZeroDivisionError), metrics.stage(Stage.SCORE):
        _ = 1 / 0
    assert told(metrics)["sluicegate_step_seconds_count", (("stage", "score"),)] == 1


def test_without_anybody_to_tell_stages_cost_only_their_time() -> None:
    with Stages().stage(Stage.DECODE):
        pass


def test_standing_is_told_and_what_is_gone_is_forgotten() -> None:
    metrics = ScorerMetrics("payments", 0)
    assert metrics.wants_standing()
    metrics.stand(AT_REST)
    assert not metrics.wants_standing()
    before = told(metrics)
    assert before["sluicegate_partitions", ()] == 2
    assert before["sluicegate_lag_records", (("partition", "0"),)] == 5
    assert before["sluicegate_state_bytes", ()] == 4_096
    assert before["sluicegate_policy_offset", ()] == -1
    assert before["sluicegate_swaps_total", (("what", "release"),)] == 0
    metrics.stand(AT_REST._replace(lag={3: 1}, epoch=5, model="m2"))
    after = told(metrics)
    assert after["sluicegate_swaps_total", (("what", "release"),)] == 1
    assert after["sluicegate_swaps_total", (("what", "policy"),)] == 0
    assert ("sluicegate_lag_records", (("partition", "0"),)) not in after
    models = [labels for name, labels in after if name == "sluicegate_model_info"]
    assert models == [(("engine", "packed"), ("model", "m2"))]


def test_a_scorer_tells_every_metric_that_is_declared_for_it_and_no_other_of_ours() -> None:
    metrics = ScorerMetrics("payments", 0)
    metrics.step([0], {"approve": 1}, ["empty"], 0, {"cold_start": 1})
    metrics.stand(AT_REST)
    names = {name for name, _ in told(metrics) if name.startswith("sluicegate_")}
    assert (
        names - {series for each in d.SCORER for series in series_of(each)}
        == {each.name.removesuffix("_total") + "_created" for each in d.SCORER if each.kind is d.Kind.COUNTER}
        & names
    )
    assert {each.name for each in d.SCORER if not set(series_of(each)) & names} == set()


def test_an_explainer_tells_of_its_turns_and_of_the_partitions_that_it_holds() -> None:
    metrics = ExplainerMetrics("payments", 2)
    metrics.turn(5, 1)
    metrics.aborted()
    metrics.stand({0: 7, 1: 0})
    metrics.stand({1: 4})
    found = samples(generate_latest(metrics.registry))
    assert found["sluicegate_explanations_total", ()] == 5
    assert found["sluicegate_unexplained_total", ()] == 1
    assert found["sluicegate_explainer_aborted_turns_total", ()] == 1
    assert found["sluicegate_explainer_lag_messages", (("partition", "1"),)] == 4
    assert ("sluicegate_explainer_lag_messages", (("partition", "0"),)) not in found
    assert {name for name, _ in found} >= {each.name for each in d.EXPLAINER}


def test_the_monitor_tells_its_status_and_leaves_out_what_nothing_defines_yet() -> None:
    found = samples(MonitorMetrics("payments", lambda: A_STATUS).text())
    assert found["sluicegate_precision_ratio", ()] == 0.5
    assert ("sluicegate_recall_ratio", ()) not in found  # None
    assert found["sluicegate_labelled_events", (("label", "legitimate"),)] == 895
    assert found["sluicegate_drift_psi", (("feature", "amount"),)] == 0.31
    assert ("sluicegate_drift_psi", (("feature", "country"),)) not in found
    assert found["sluicegate_missing_ratio", (("feature", "country"),)] == 1
    assert found["sluicegate_drifted_features", (("state", "drift"),)] == 1
    assert found["sluicegate_drifted_features", (("state", "ignored"),)] == 0
    assert found["sluicegate_score_drift_psi", ()] == 0.11
    assert found["sluicegate_shadow_overlap_ratio", (("shadow", "m2"),)] == 0.75
    assert ("sluicegate_shadow_overlap_ratio", (("shadow", "m3"),)) not in found
    assert found["sluicegate_silence_seconds", ()] == 2.5
    ours = {name for name, _ in found if name.startswith("sluicegate_")}
    unknown = {"sluicegate_recall_ratio", "sluicegate_stuck_seconds"}
    assert ours == {each.name for each in d.MONITOR} - unknown


def test_the_monitor_has_every_figure_that_metrics_are_made_of(tmp_path: Path) -> None:
    state = MonitorState(private_pipeline(tmp_path, "unit")[1])
    found = {name for name, _ in samples(MonitorMetrics("unit", state.status).text())}
    assert {"sluicegate_monitor_caught_up", "sluicegate_drifted_features"} <= found


def test_a_monitor_without_a_champion_tells_no_drift() -> None:
    status = A_STATUS | {"drift": {"features": [], "score": None}}
    found = {name for name, _ in samples(MonitorMetrics("payments", lambda: status).text())}
    assert not {"sluicegate_drift_psi", "sluicegate_score_drift_psi"} & found


def series_of(definition: d.Definition) -> list[str]:
    if definition.kind is d.Kind.HISTOGRAM:
        return [definition.name + end for end in ("_bucket", "_count", "_sum")]
    return [definition.name]


@given(st.lists(st.floats(0, 500) | st.just(float("nan")), max_size=200))
def test_a_batch_counts_as_its_values_one_by_one(values: list[float]) -> None:
    registry, one_by_one = CollectorRegistry(), [0] * (len(d.LATENCY.bounds) + 1)
    together = Histogram(d.LATENCY, registry)
    together.observe_all(np.array(values, np.float64))
    for value in values:
        if not np.isnan(value):
            one_by_one[bisect_left(d.LATENCY.bounds, value)] += 1
    assert together._counts[""] == one_by_one
    found = samples(generate_latest(registry))
    assert found["sluicegate_latency_seconds_count", ()] == sum(one_by_one)
    assert found["sluicegate_latency_seconds_bucket", (("le", "+Inf"),)] == sum(one_by_one)


def test_bounds_rise() -> None:
    for each in d.ALL.values():
        assert list(each.bounds) == sorted(set(each.bounds))
        assert bool(each.bounds) is (each.kind is d.Kind.HISTOGRAM)


def test_they_are_served_until_the_block_ends(tmp_path: Path) -> None:
    (port,) = choose_ports(tmp_path / "ports.json", 1)
    metrics = ScorerMetrics("payments", 3)
    with serving_metrics(metrics.registry, metrics.health, Listen(port)) as url:
        assert url is not None
        found = samples(httpx.get(url, timeout=30).content)
        assert any(name == "process_resident_memory_bytes" for name, _ in found)
        (info,) = (labels for name, labels in found if name == "sluicegate_process_info")
        assert dict(info)["process"] == "scorer-3"
        with serving_metrics(metrics.registry, metrics.health, Listen(port)) as second:
            assert second is None  # taken: the work goes on without
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, timeout=30)


def test_no_port_no_metrics() -> None:
    with serving_metrics(CollectorRegistry(), Health(), Listen()) as url:
        assert url is None


@pytest.mark.parametrize(
    ("declared", "given", "port"),
    [(0, None, 0), (9_400, None, 9_402), (9_400, 7, 7), (9_400, 0, 0), (0, 7, 7)],
)
def test_where_a_process_listens(declared: int, given: int | None, port: int) -> None:
    assert listen_at(declared, 2, given) == Listen(port, "127.0.0.1")
