"""Prometheus takes what is written for it, by its own tool: configuration, rules, the metrics themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client import generate_latest

from streams.metrics import ExplainerMetrics, KeeperMetrics, KeeperStanding, MonitorMetrics, ScorerMetrics
from tests.support.tools import ran, tool
from tests.unit.metrics.told import A_STATUS, AT_REST

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
PROMETHEUS = ROOT / "config/prometheus"
DASHBOARDS = sorted((ROOT / "config/grafana/dashboards").glob("*.json"))


@pytest.fixture(scope="module")
def promtool() -> str:
    return tool("promtool", "prometheus")


def loaded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def test_rules_are_sound(promtool: str) -> None:
    assert "SUCCESS" in ran(promtool, "check", "rules", str(PROMETHEUS / "alerts.yml"))


def test_every_alert_fires_when_it_should_and_not_else(promtool: str) -> None:
    cases = Path(__file__).with_name("alerts.test.yml")
    ran(promtool, "test", "rules", str(cases))
    alerts = {
        rule["alert"]
        for group in loaded(PROMETHEUS / "alerts.yml")["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    tried = {
        case["alertname"]
        for test in loaded(cases)["tests"]
        for case in test.get("alert_rule_test", [])
        if case.get("exp_alerts")
    }
    assert tried == alerts


@pytest.mark.parametrize("name", ["prometheus.yml", "kubernetes.yml"])
def test_configuration_is_sound(promtool: str, tmp_path: Path, name: str) -> None:
    config = loaded(PROMETHEUS / name)
    for job in config["scrape_configs"]:
        if job.pop("kubernetes_sd_configs", None) is not None:  # Debian's Prometheus is built without it
            job["static_configs"] = [{"targets": ["pod:9400"]}]
    (tmp_path / name).write_text(yaml.safe_dump(config), encoding="utf-8")
    for rules in config["rule_files"]:
        (tmp_path / rules).write_bytes((PROMETHEUS / rules).read_bytes())
    ran(promtool, "check", "config", str(tmp_path / name))


def a_scorer() -> bytes:
    metrics = ScorerMetrics("payments", 0)
    metrics.step([0], {"approve": 1}, ["empty"], 0, {"cold_start": 1})
    metrics.stand(AT_REST)
    return generate_latest(metrics.registry)


def a_keeper() -> bytes:
    metrics = KeeperMetrics("payments")
    runs = {"passed": 3}
    metrics.stand(KeeperStanding({"events": 1}, {"scored": 1}, 5, runs, True, 5, 6, 7, {"champion": 1}, runs))
    return generate_latest(metrics.registry)


def an_explainer() -> bytes:
    metrics = ExplainerMetrics("payments", 0)
    metrics.stand({0: 3})
    return generate_latest(metrics.registry)


def a_monitor() -> bytes:
    return MonitorMetrics("payments", lambda: A_STATUS).text()


@pytest.mark.parametrize("told", [a_scorer, a_keeper, an_explainer, a_monitor])
def test_metrics_are_named_and_told_by_the_convention(promtool: str, told: Callable[[], bytes]) -> None:
    assert ran(promtool, "check", "metrics", given=told()) == ""


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_what_a_dashboard_asks_is_promql(promtool: str, tmp_path: Path, path: Path) -> None:
    panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    rules = [
        {"record": f"asked:{number}", "expr": each.replace("$__rate_interval", "1m")}
        for number, each in enumerate(asked)
    ]
    (tmp_path / "asked.yml").write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    ran(promtool, "check", "rules", str(tmp_path / "asked.yml"))
