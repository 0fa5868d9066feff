"""What `up` tells when everything runs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from console.cli.options import STATE_DIR
from console.listening import is_loopback
from console.pipeline_file import find_config
from feature_store.errors import ConfigError
from streams.sources.simulate import check_fields
from training.keeper.client import KeeperClient

if TYPE_CHECKING:
    from console.plan import Plan
    from console.system import System
    from feature_store.declaration.pipeline import Pipeline

_FORMATS = {"json": "JSON", "avro": "framed Avro", "protobuf": "framed Protobuf"}
_KINDS = {"given": "Kafka", "kafka": "Apache Kafka", "embedded": "the embedded broker"}


def what_runs_where(system: System) -> str:
    """Broker, processes, addresses, and what to type next."""
    broker, plan, pipeline = system.broker, system.plan, system.pipeline
    version = f" {broker.version}" if broker.version[:1].isdigit() else ""
    lines = [
        f"{pipeline.name} is up: {plan.in_words}",
        f"  broker   {broker.bootstrap}  ({_KINDS[broker.kind]}{version})",
        f"  monitor  {plan.monitor_url}",
        f"  console  {console_address(plan)}",
        *metrics_lines(plan),
        f"  logs     {system.logbook.path}",
        *what_to_type(pipeline, plan),
        "Ctrl-C stops everything.",
    ]
    if broker.notice:
        lines.insert(2, f"           {broker.notice}")
    return "\n".join(lines)


def console_address(plan: Plan) -> str:
    """The link that lets the local user in, on a terminal; elsewhere, as in logs, how to get it."""
    if not sys.stdout.isatty():
        return f"{plan.keeper_url}  (sluicegate console{_state_option(plan)} prints a link that lets you in)"
    if not is_loopback(str(urlsplit(plan.keeper_url).hostname)):
        return f"{plan.keeper_url}  (log in as a user)"
    with KeeperClient(plan.state_dir) as keeper:
        return keeper.console_link


def metrics_lines(plan: Plan) -> list[str]:
    """Where Prometheus may ask."""
    found = [f"{url}  ({name})" for name, url in plan.metrics_urls.items()]
    return [f"  {'' if at else 'metrics':<8} {line}" for at, line in enumerate(found)]


def what_to_type(pipeline: Pipeline, plan: Plan) -> list[str]:
    """The commands for another terminal in this folder, with the options that make them mean this run."""
    state = _state_option(plan)
    config = "" if plan.config == find_config(None).resolve() else f" --config {_as_typed(plan.config)}"
    options = config + state
    try:
        check_fields(pipeline)
        source = "simulate"
    except ConfigError:
        source = "replay FILE"
    form, topic = _FORMATS[pipeline.event.format], pipeline.whole.topics.events
    return [
        f"  events   send {form} to the topic {topic!r} keyed by {pipeline.whole.event.key!r},",
        f"           or in another terminal: sluicegate {source}{options}",
        f"  watch    sluicegate tail --follow{options}",
    ]


def _state_option(plan: Plan) -> str:
    return "" if plan.state_dir == STATE_DIR.resolve() else f" --state-dir {_as_typed(plan.state_dir)}"


def _as_typed(path: Path) -> str:
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
