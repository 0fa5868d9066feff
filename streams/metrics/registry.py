"""Metrics of one process, made of their definitions."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from streams.metrics.definitions import PROCESS

if TYPE_CHECKING:
    from streams.metrics.definitions import Definition


def new_registry(pipeline: str, process: str) -> CollectorRegistry:
    """Its own registry, with who answers and what the system knows of it: CPU, memory, files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    gauge(PROCESS, registry).labels(pipeline, process, importlib.metadata.version("sluicegate")).set(1)
    return registry


def counter(definition: Definition, registry: CollectorRegistry) -> Counter:
    """A number that only grows."""
    return Counter(definition.name, definition.meaning, definition.labels, registry=registry)


def gauge(definition: Definition, registry: CollectorRegistry) -> Gauge:
    """A number that is set."""
    return Gauge(definition.name, definition.meaning, definition.labels, registry=registry)
