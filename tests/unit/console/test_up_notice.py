"""The commands that `up` proposes mean the run that proposes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console.plan import Plan
from console.up_notice import metrics_lines, what_to_type
from tests.support.payments import SHIPPED, pipeline_of, shipped_tree


def plan(config: Path, state_dir: Path) -> Plan:
    return Plan(config.resolve(), state_dir.resolve(), "localhost:9092", 1, 1, 2)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_usual_places_need_no_options(tmp_path: Path) -> None:
    _, pipeline = pipeline_of(shipped_tree(), tmp_path)
    *_, source, watch = what_to_type(pipeline, plan(SHIPPED, Path(".sluicegate")))
    assert source.endswith(": sluicegate simulate")
    assert watch.endswith(" sluicegate tail --follow")


def test_other_places_are_named_as_one_would_type_them(tmp_path: Path) -> None:
    path, pipeline = pipeline_of(shipped_tree(), tmp_path)
    *_, source, watch = what_to_type(pipeline, plan(path, tmp_path / "my run"))
    assert source.endswith("sluicegate simulate --config pipeline.yaml --state-dir 'my run'")
    assert watch.endswith("sluicegate tail --follow --config pipeline.yaml --state-dir 'my run'")


def test_a_pipeline_that_is_not_simulated_is_told_to_replay(tmp_path: Path) -> None:
    tree = shipped_tree()
    tree["event"]["fields"]["basket"] = "integer"
    path, pipeline = pipeline_of(tree, tmp_path)
    assert (
        "sluicegate replay FILE --config pipeline.yaml"
        in what_to_type(pipeline, plan(path, Path(".sluicegate")))[1]
    )


def test_where_prometheus_may_ask_is_told(tmp_path: Path) -> None:
    assert metrics_lines(plan(SHIPPED, tmp_path)) == []
    given = replace(plan(SHIPPED, tmp_path), scorers=2, metrics_ports=(9_400, 9_401, 9_402))
    assert metrics_lines(given) == [
        "  metrics  http://127.0.0.1:9400/metrics  (keeper)",
        "           http://127.0.0.1:9401/metrics  (scorer-0)",
        "           http://127.0.0.1:9402/metrics  (scorer-1)",
        f"           {given.monitor_url}/metrics  (monitor)",
    ]
    keeper, first, second, *_ = given.processes()
    ports = [each.arguments[each.arguments.index("--metrics-port") + 1] for each in (keeper, first, second)]
    assert ports == ["9400", "9401", "9402"]
