"""The containers run what `up` runs, without rights that they do not need."""

from __future__ import annotations

import json
import re
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from console.cli.app import app

ROOT = Path(__file__).resolve().parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("sluicegate:"))
WATCHING = ("grafana", "prometheus")
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; (.*?))? \\$((?:\n +--hash=\S+(?: \\)?)+)", re.MULTILINE)


def locked(name: str) -> dict[tuple[str, str], set[str]]:
    found = PINNED.findall((ROOT / name).read_text())
    return {
        (package, version): set(re.findall(r"sha256:\w+", hashes)) for package, version, _, hashes in found
    }


def test_every_part_is_there() -> None:
    assert {service.split("-")[0] for service in SERVICES} == {
        "kafka",
        "topics",
        "keeper",
        "monitor",
        "scorer",
        "explainer",
        *WATCHING,
    }
    assert SERVICES["kafka"]["image"].startswith("apache/kafka:4.1.")


@pytest.mark.parametrize("name", OURS)
def test_part_has_a_command_that_exists(name: str) -> None:
    service = SERVICES[name]
    command = get_command(app)
    for word in service["command"]:
        command = getattr(command, "commands", {}).get(word, command)
    options = {option for parameter in command.params for option in parameter.opts}
    given = {word.split("=")[0] for word in service["command"] if word.startswith("--")}
    assert given <= options


@pytest.mark.parametrize("name", [*OURS, *WATCHING])
def test_part_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    mounted = [volume.split(":") for volume in service["volumes"]]
    from_here = [(source, mode) for source, _, *mode in mounted if source.startswith("./")]
    assert all((ROOT / source).exists() and mode == ["ro"] for source, mode in from_here)


def test_the_file_is_one_that_compose_takes() -> None:
    files = metadata.files("check-jsonschema") or []
    (schema,) = (file for file in files if file.name == "compose-spec.json")
    import_module("jsonschema").validate(COMPOSE, json.loads(schema.read_text()))


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"topics"}))
def test_part_that_runs_on_is_watched(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_topics_come_after_kafka_and_before_the_rest() -> None:
    assert SERVICES["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    for name in set(OURS) - {"topics"}:
        assert SERVICES[name]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}


def test_slots_are_each_their_own() -> None:
    for kind, least in (("scorer-", 2), ("explainer-", 1)):
        slots = [service["command"][1] for name, service in SERVICES.items() if name.startswith(kind)]
        assert slots == [f"--slot={number}" for number in range(len(slots))]
        assert len(slots) >= least


@pytest.mark.parametrize("name", [name for name in OURS if name.startswith(("scorer-", "keeper", "monitor"))])
def test_part_that_writes_has_where_to(name: str) -> None:
    volumes = dict(reversed(volume.split(":")[:2]) for volume in SERVICES[name]["volumes"])
    kept = volumes["/var/lib/sluicegate/.sluicegate"]
    assert kept in COMPOSE["volumes"]
    assert (
        kept == f"{name.split('-', maxsplit=1)[0]}-state"
    )  # scorers share theirs: partitions move between them


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_secret_comes_from_the_environment() -> None:
    assert SERVICES["keeper"]["environment"]["SLUICEGATE_CONTROL_KEY"].startswith(
        "${SLUICEGATE_CONTROL_KEY:?"
    )


def test_image_runs_as_a_user_and_installs_by_hash() -> None:
    text = (ROOT / "Dockerfile").read_text()
    final = text.rpartition("\nFROM ")[2]
    assert "USER sluicegate" in final
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_what_the_image_installs_is_what_is_tested() -> None:
    everything, runs = locked("requirements.lock"), locked("requirements-run.lock")
    assert len(runs) > 40
    for pin, hashes in runs.items():
        assert everything.get(pin) == hashes, pin
    assert not {name for name, _ in runs} & {"pytest", "mypy", "ruff"}
