"""What `up` tells when everything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.system import System


def what_runs_where(system: System) -> str:
    """Broker, processes, addresses, and what to type next."""
    broker, plan, pipeline = system.broker, system.plan, system.pipeline
    version = "" if broker.version == "unknown" else f" {broker.version}"
    kinds = {"given": "Kafka", "kafka": "Apache Kafka", "embedded": "the embedded broker"}
    lines = [
        f"{pipeline.name} is up: {plan.scorers} scorer{'s' * (plan.scorers > 1)}, keeper, monitor",
        f"  broker   {broker.bootstrap}  ({kinds[broker.kind]}{version})",
        f"  monitor  {plan.monitor_url}",
        f"  keeper   {plan.keeper_url}",
        f"  logs     {system.logbook.path}",
        f"  events   send JSON to the topic {pipeline.topics.events!r} keyed by {pipeline.event.key!r},",
        "           or in another terminal: sluicegate simulate",
        "  watch    sluicegate tail --follow",
        "Ctrl-C stops everything.",
    ]
    if broker.notice:
        lines.insert(2, f"           {broker.notice}")
    return "\n".join(lines)
