"""The manifests are what a cluster takes, and say of every process what it must know of it."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from console.cli.app import app
from feature_store.declaration.load import load_pipeline
from streams.metrics.definitions import LAG
from streams.metrics.server import LIVE, READY
from tests.support.tools import ran

CONFIG = Path(__file__).resolve().parents[3] / "config"
KUSTOMIZATION = CONFIG / "kustomization.yml"
OLDEST, NEWEST = "1.28", "1.37"
Manifest = dict[str, Any]


def resources() -> list[Manifest]:
    names = yaml.safe_load(KUSTOMIZATION.read_text(encoding="utf-8"))["resources"]
    return [
        each for name in names for each in yaml.safe_load_all((CONFIG / name).read_text(encoding="utf-8"))
    ]


ALL = resources()
BY_NAME: dict[tuple[str, str], Manifest] = {(each["kind"], each["metadata"]["name"]): each for each in ALL}
RUNNING = {name: each for (kind, name), each in BY_NAME.items() if kind in {"StatefulSet", "Deployment"}}
PODS = {
    name: each["spec"]["template"]
    for (_, name), each in BY_NAME.items()
    if "template" in each.get("spec", {})
}


def container(name: str) -> Manifest:
    (found,) = PODS[name]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("resource", ALL, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_every_resource_is_one_of_kubernetes(resource: Manifest, version: str) -> None:
    import_module("kubernetes_validate").validate(resource, version, strict=True)


def test_every_file_is_applied_and_only_files_that_are_there() -> None:
    named = yaml.safe_load(KUSTOMIZATION.read_text(encoding="utf-8"))["resources"]
    assert set(named) == {str(path.relative_to(CONFIG)) for path in (CONFIG / "kubernetes").glob("*.yaml")}
    assert len(BY_NAME) == len(ALL)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed, and no package has it")
def test_kustomize_puts_them_together_and_hangs_pods_on_the_pipeline_file() -> None:
    made = list(yaml.safe_load_all(ran("kubectl", "kustomize", str(CONFIG))))
    (pipeline,) = (
        each["metadata"]["name"]
        for each in made
        if each["metadata"]["name"].startswith("sluicegate-pipeline-")
    )
    pods = [each["spec"]["template"]["spec"] for each in made if "template" in each.get("spec", {})]
    assert len(pods) == len(PODS)
    for pod in pods:
        assert {"name": "pipeline", "configMap": {"name": pipeline}} in pod["volumes"]
        assert [each["image"] for each in pod["containers"]] == ["sluicegate:0.1.0"]
    for each in made:
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == "sluicegate"
        assert each["kind"] != "Secret"  # made by hand, once


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_a_command_that_exists_without_rights_that_it_does_not_need(name: str) -> None:
    pod, main = PODS[name]["spec"], container(name)
    command: Any = get_command(app)
    for word in main["args"]:
        command = getattr(command, "commands", {}).get(word, command)
    options = {option for parameter in command.params for option in parameter.opts}
    assert command.name in main["args"]
    assert {word.split("=")[0] for word in main["args"] if word.startswith("--")} <= options
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert main["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= set(main["resources"]["requests"])
    assert "memory" in main["resources"]["limits"]
    assert "cpu" not in main["resources"]["limits"]  # throttling is latency


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_the_pipeline_the_environment_and_where_to_write(name: str) -> None:
    main = container(name)
    mounts = {each["mountPath"]: each for each in main["volumeMounts"]}
    assert mounts["/var/lib/sluicegate/config"]["readOnly"] is True
    assert {"/tmp", "/var/lib/sluicegate/.sluicegate"} <= set(mounts)  # noqa: S108 - a mount
    claims = BY_NAME.get(("StatefulSet", name), {}).get("spec", {}).get("volumeClaimTemplates", [])
    volumes = [each["name"] for each in PODS[name]["spec"]["volumes"]]
    assert {each["name"] for each in mounts.values()} == {
        *volumes,
        *(each["metadata"]["name"] for each in claims),
    }
    assert {"secretRef": {"name": "sluicegate-secrets"}} in main["envFrom"]
    assert {"configMapRef": {"name": "sluicegate-environment"}} in main["envFrom"]


@pytest.mark.parametrize("name", RUNNING)
def test_a_process_is_probed_and_scraped_where_it_listens(name: str) -> None:
    main, running = container(name), RUNNING[name]
    given = dict(word.lstrip("-").split("=") for word in main["args"] if "=" in word)
    ports = {each["name"]: each["containerPort"] for each in main["ports"]}
    place = ("host", "port") if name == "monitor" else ("metrics-host", "metrics-port")
    assert (given[place[0]], int(given[place[1]])) == ("0.0.0.0", ports["metrics"])  # noqa: S104 - of the pod
    probes = [main[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    assert probes == [{"path": path, "port": "metrics"} for path in (LIVE, LIVE, READY)]
    labels = PODS[name]["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/name": "sluicegate", "app.kubernetes.io/component": name}
    assert running["spec"]["selector"]["matchLabels"] == labels
    service = BY_NAME["Service", name]["spec"]
    assert service["selector"] == labels
    assert {each["name"]: each["port"] for each in service["ports"]} == ports


def test_a_slot_runs_once_and_the_store_has_one_writer() -> None:
    for name in ("scorer", "explainer"):
        assert "--slot=$(SLOT)" in container(name)["args"]
        (slot,) = container(name)["env"]
        field = slot["valueFrom"]["fieldRef"]["fieldPath"]
        assert (slot["name"], field) == ("SLOT", "metadata.labels['apps.kubernetes.io/pod-index']")
        assert RUNNING[name]["kind"] == "StatefulSet"  # never two pods of one number
    assert RUNNING["keeper"]["kind"] == "StatefulSet"
    assert RUNNING["keeper"]["spec"]["replicas"] == 1
    assert RUNNING["monitor"]["spec"]["strategy"] == {"type": "Recreate"}


def test_scorers_are_added_by_what_waits_up_to_the_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICEGATE_CONTROL_KEY", "k" * 40)
    pipeline = load_pipeline(CONFIG / "payments.yaml")
    scaler = BY_NAME["HorizontalPodAutoscaler", "scorer"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == "scorer"
    assert "replicas" not in RUNNING["scorer"]["spec"]  # else every apply would undo what was scaled
    assert scaler["minReplicas"] >= 2
    assert scaler["maxReplicas"] <= pipeline.topics.partitions
    (metric,) = scaler["metrics"]
    adapter = yaml.safe_load((CONFIG / "prometheus/adapter.yml").read_text(encoding="utf-8"))
    (rule,) = adapter["rules"]["external"]
    assert metric["external"]["metric"]["name"] == rule["name"]["as"]
    assert rule["seriesQuery"] == LAG.name
    budget = BY_NAME["PodDisruptionBudget", "scorer"]["spec"]
    assert budget["selector"] == RUNNING["scorer"]["spec"]["selector"]
    assert budget["maxUnavailable"] == 1


def test_nothing_reaches_the_pods_but_themselves_and_prometheus() -> None:
    policy = BY_NAME["NetworkPolicy", "sluicegate"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ours = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "sluicegate"}}}
    among, scraped = policy["ingress"]
    assert among == {"from": [ours]}
    assert scraped["ports"] == [{"port": "metrics"}]
    for name in PODS:
        assert PODS[name]["metadata"]["labels"].items() >= policy["podSelector"]["matchLabels"].items()
