"""Metrics of one process, made of their definitions."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from streams.metrics.definitions import PROCESS

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class PartitionGauge:
    """A number for each partition that is held; one that is held no more is told no more."""

    def __init__(self, definition: Definition, registry: CollectorRegistry) -> None:
        self._gauge = gauge(definition, registry)
        self._held: set[int] = set()

    def set(self, numbers: Mapping[int, int]) -> None:
        """Partition held -> its number."""
        for partition in self._held - numbers.keys():
            self._gauge.remove(str(partition))
        for partition, number in numbers.items():
            self._gauge.labels(str(partition)).set(number)
        self._held = set(numbers)
