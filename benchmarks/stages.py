"""What a scorer says of its own stages, at its Prometheus endpoint."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from streams.metrics import definitions

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOPBACK = "127.0.0.1"
_BATCHES = "batches"


def with_metrics(tree: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The pipeline file with metrics on, and the port at which its first scorer gives them."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    serving = {**tree.get("serving", {}), "metrics_port": port - 1}  # a scorer listens at its slot + 1 above
    return {**tree, "serving": serving}, port


def stage_seconds(port: int) -> Callable[[], dict[str, float]]:
    """A function that asks for the seconds spent in each stage so far, and for the number of batches."""

    def ask() -> dict[str, float]:
        try:
            text = httpx.get(f"http://{_LOOPBACK}:{port}/metrics", timeout=5.0).text
        except httpx.TransportError:
            return {}
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == f"{definitions.STEP_SECONDS.name}_sum":
                    found[sample.labels["stage"]] = sample.value
                elif sample.name == definitions.STEPS.name:
                    found[_BATCHES] = sample.value
        return found

    return ask


def per_event(counted: dict[str, float], events: int) -> dict[str, float]:
    """Microseconds of each stage for one event; empty where nothing was told."""
    return {name: round(s / events * 1e6, 3) for name, s in counted.items() if name != _BATCHES}


def batch_size(counted: dict[str, float], events: int) -> float:
    """Events in a batch, at the mean; 0 where nothing was told."""
    batches = counted.get(_BATCHES, 0.0)
    return events / batches if batches else 0.0
