"""Every name of a metric that a person meets is one that is given: docs, dashboard, alerts, containers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector
from typer.main import get_command

from console.cli.app import app
from streams.metrics import definitions as d
from streams.metrics.definitions import Definition, Kind, Stage

ROOT = Path(__file__).resolve().parents[3]
ALL = d.ALL
PAGE = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
DASHBOARD: dict[str, Any] = json.loads((ROOT / "config/grafana/sluicegate.json").read_text(encoding="utf-8"))


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


ALERTS = loaded("config/prometheus/alerts.yml")
SCRAPES = loaded("config/prometheus/prometheus.yml")
CONTAINERS = loaded("docker-compose.metrics.yml")
PLAIN = loaded("docker-compose.yml")
METRIC = re.compile(r"\b(?:sluicegate|process)_[a-z_]+")
EXPRESSIONS = [
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]),
    *(rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]),
]


def series(definition: Definition) -> set[str]:
    ends = ("_bucket", "_count", "_sum") if definition.kind is Kind.HISTOGRAM else ("",)
    return {definition.name + end for end in ends}


def labels_of(expression: str) -> set[str]:
    asked = set(METRIC.findall(expression))
    return {label for each in ALL.values() if asked & series(each) for label in each.labels}


def of_the_process() -> set[str]:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return {sample.name for family in registry.collect() for sample in family.samples}


GIVEN = {name for definition in ALL.values() for name in series(definition)} | of_the_process()


@pytest.mark.parametrize("definition", ALL.values(), ids=lambda each: each.name)
def test_every_metric_is_told_as_it_is(definition: Definition) -> None:
    labels = ", ".join(f"`{label}`" for label in definition.labels)
    row = f"| `{definition.name}` | {definition.kind.value} | {labels} | {definition.meaning} |"
    assert row in PAGE.splitlines()


def test_every_stage_and_nothing_that_is_not_given_is_told() -> None:
    assert [stage for stage in Stage if f"| `{stage.value}` |" not in PAGE] == []
    assert set(METRIC.findall(PAGE)) - GIVEN - set(ALL) == set()
    assert of_the_process() - set(METRIC.findall(PAGE)) == set()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_what_is_given(expression: str) -> None:
    names = METRIC.findall(expression)
    assert names or "up{" in expression
    assert set(names) - GIVEN == set()
    for by in re.findall(r"by \(([^)]*)\)", expression):
        assert set(by.split(", ")) <= labels_of(expression) | {"le"}
    for name in names:  # a counter is asked for its rate, anything else is not
        kind = next((each.kind for each in ALL.values() if name in series(each)), None)
        grows = kind in {Kind.COUNTER, Kind.HISTOGRAM} or name == "process_cpu_seconds_total"
        assert bool(re.search(rf"(rate|increase)\({name}", expression)) is grows


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    source = loaded("config/grafana/datasource.yml")["datasources"][0]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        labels = {label for t in panel["targets"] for label in labels_of(t["expr"])}
        said = {word for t in panel["targets"] for word in re.findall(r"{{(\w+)}}", t["legendFormat"])}
        assert said <= labels | {"instance"}


def test_prometheus_asks_where_the_containers_listen() -> None:
    places = [place for job in SCRAPES["scrape_configs"] for place in job["static_configs"]]
    asked = {target for place in places for target in place["targets"]}
    listening = {}
    for name, service in CONTAINERS["services"].items():
        if name in PLAIN["services"]:
            command = service["command"]
            port = command[command.index("--metrics-port") + 1]
            listening[f"{name}:{port}"] = name
            first = command.index("--metrics-port")
            assert command[:first] == PLAIN["services"][name]["command"]
            known: Any = get_command(app)
            options = {option for p in known.commands[command[0]].params for option in p.opts}
            assert {word for word in command if word.startswith("--")} <= options
    assert asked == set(listening)
    assert set(listening.values()) == {n for n in PLAIN["services"] if n.startswith(("keeper", "scorer"))}


@pytest.mark.parametrize("name", sorted(set(CONTAINERS["services"]) - set(PLAIN["services"])))
def test_what_watches_has_no_rights_and_is_not_published(name: str) -> None:
    service = CONTAINERS["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    mounted = [place.split(":")[0] for place in service["volumes"]]
    assert all((ROOT / place).exists() for place in mounted if place.startswith("./"))
