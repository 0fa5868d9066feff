"""Every name of a metric that a person meets is one that is given: docs, dashboard, alerts, containers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector

from streams.metrics import definitions as d
from streams.metrics.definitions import Definition, Kind, Stage

ROOT = Path(__file__).resolve().parents[3]
ALL = d.ALL
PAGE = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "config/grafana/dashboards").glob("*.json"))
}


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


ALERTS = loaded("config/prometheus/alerts.yml")
SCRAPES = loaded("config/prometheus/prometheus.yml")
SERVICES = loaded("docker-compose.yml")["services"]
EVERYWHERE = "0.0.0.0"  # noqa: S104 - of a container network
METRIC = re.compile(r"\b(?:sluicegate|process)_[a-z_]+")
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
EXPRESSIONS = [
    *(
        target["expr"]
        for dashboard in DASHBOARDS.values()
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ),
    *(dashboard["annotations"]["list"][0]["expr"] for dashboard in DASHBOARDS.values()),
    *(rule["expr"] for rule in RULES),
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
    recorded = set(re.findall(r"sluicegate:[a-z0-9_:]+", expression))
    assert recorded <= set(RECORDED)
    names = METRIC.findall(expression)
    assert names or recorded or "up{" in expression
    assert set(names) - GIVEN == set()
    for by in re.findall(r"(?:by|ignoring) \(([^)]*)\)", expression):
        assert set(by.split(", ")) <= labels_of(expression) | {"le"}
    for name in names:  # a counter is asked for its rate, anything else is not
        kind = next((each.kind for each in ALL.values() if name in series(each)), None)
        grows = kind in {Kind.COUNTER, Kind.HISTOGRAM} or name == "process_cpu_seconds_total"
        assert bool(re.search(rf"(rate|increase)\({name}", expression)) is grows


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {name for expression in EXPRESSIONS for name in METRIC.findall(expression)}
    assert {each.name for each in ALL.values() if not set(series(each)) & shown} == set()


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_a_dashboard_is_one_that_grafana_takes(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    (source,) = loaded("config/grafana/datasource.yml")["datasources"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == {"type": "prometheus", "uid": source["uid"]}
        labels = {label for t in panel["targets"] for label in labels_of(t["expr"])}
        said = {word for t in panel["targets"] for word in re.findall(r"{{(\w+)}}", t["legendFormat"])}
        assert said <= labels


def test_dashboards_are_found_and_lead_to_each_other() -> None:
    grafana = SERVICES["grafana"]
    (provider,) = loaded("config/grafana/dashboards.yml")["providers"]
    assert f"./config/grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home.parent == Path(provider["options"]["path"])
    assert home.stem in DASHBOARDS
    uids = {dashboard["uid"] for dashboard in DASHBOARDS.values()}
    assert len(uids) == len(DASHBOARDS)
    assert {link["url"] for each in DASHBOARDS.values() for link in each["links"]} == {
        f"/d/{uid}" for uid in uids
    }


def test_prometheus_asks_where_the_containers_listen() -> None:
    asked = {
        target: job["job_name"].removeprefix("sluicegate-")
        for job in SCRAPES["scrape_configs"]
        for place in job["static_configs"]
        for target in place["targets"]
    }
    listening = {}
    for name, service in SERVICES.items():
        options = dict(re.findall(r"--([a-z-]+)=(\S+)", " ".join(service.get("command", []))))
        if name == "monitor":
            assert options["host"] == EVERYWHERE
            listening[f"{name}:{options['port']}"] = name
        elif "metrics-port" in options:
            assert options["metrics-host"] == EVERYWHERE
            listening[f"{name}:{options['metrics-port']}"] = name.split("-", maxsplit=1)[0]
    assert asked == listening
    assert set(listening.values()) == {"keeper", "scorer", "explainer", "monitor"}


def test_alerts_say_how_urgent_they_are_and_what_to_do() -> None:
    for rule in RULES:
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"critical", "warning"}
            assert rule["annotations"]["summary"]
