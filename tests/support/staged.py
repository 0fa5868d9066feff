"""A pipeline in three stages, and what the oracle says about the rows of its feature log."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.chaos_check import MEANING, delta_of, plain
from tests.support.oracle import Delta, Event, Oracle
from tests.support.payments import pipeline_of, private_pipeline, shipped_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.declaration.stages import Stage

Row = dict[str, Any]
Orders = dict[tuple[str, ...], str]
"""Entity -> the column that holds the applied order of its stage."""


def staged_pipeline(folder: Path, prefix: str = "unit", **changes: Any) -> tuple[Path, Pipeline]:
    """The payments, counted by customer, then by device (which not every payment has), then by terminal.

    Known frauds are counted for all of them.
    """
    features = shipped_tree()["features"]
    features["staged"] = True
    features["windows"] += [
        {"entity": "customer_id", "windows": ["7d"], "frauds": True},
        {"entity": "device_id", "windows": ["1h", "7d"], "count": True, "mean": "amount"},
        {"entity": ["device_id", "country"], "windows": ["24h"], "count": True},
        {"entity": ["device_id", "country"], "windows": ["7d"], "frauds": True, "delay": "10m"},
        {
            "entity": "terminal_id",
            "windows": ["24h", "7d"],
            "count": True,
            "sum": "amount",
            "frauds": True,
            "fraud_rate": True,
        },
    ]
    event = changes.pop("event", shipped_tree()["event"])
    event["fields"]["device_id"]["passthrough"] = True  # so that a decision says for whom its outcome counts
    return private_pipeline(folder, prefix, features=features, event=event, **changes)


def unstaged_beside(folder: Path, prefix: str, events: str) -> tuple[Path, Pipeline]:
    """The same features without stages, of the same events, under topics of its own otherwise."""
    folder.mkdir()
    config, _ = staged_pipeline(folder, prefix)
    tree = yaml.safe_load(config.read_text(encoding="utf-8"))
    tree["features"]["staged"] = False
    tree["topics"]["events"] = events
    return pipeline_of(tree, folder)


def differences(
    pipeline: Pipeline, rows: Sequence[Row], deltas: Mapping[str, Sequence[Row]]
) -> Iterator[str]:
    """Where windows in the log are not what the oracle says about these rows of all partitions, and about the
    deltas of each stage, by the column of its order.
    """
    oracle = Oracle(pipeline, MEANING)
    names = [feature.name for feature in pipeline.feature_vector]
    entities = [feature.entity for feature in pipeline.features.window_features()]
    first_window = len(names) - len(entities)
    orders = _orders(pipeline)
    for entity in dict.fromkeys(entities):
        places = [first_window + at for at, each in enumerate(entities) if each == entity]
        histories: dict[Any, list[Event | Delta]] = defaultdict(list)
        events = [(_event(pipeline, row, orders[entity]), row) for row in rows]
        for event, _ in events:
            histories[_value(entity, event.values)].append(event)
        for row in deltas.get(orders[entity], ()):
            known = delta_of(row["source_partition"], row)
            histories[_value(entity, known.entity)].append(known)
        for event, row in events:
            if row["late"]:
                continue
            expected = oracle.vector(event, histories[_value(entity, event.values)])
            for at in places:
                value = math.nan if row[names[at]] is None else row[names[at]]
                if not expected[at].allows(value):
                    yield f"{row['event_id']}: {names[at]} is {value!r}; the oracle says {expected[at]}"


def order_of(stage: Stage) -> str:
    """The column of a stage's applied order."""
    return "seq" if stage.last else f"seq_{stage.number}"


def _orders(pipeline: Pipeline) -> Orders:
    return {entity: order_of(stage) for stage in pipeline.stages for entity in stage.entities}


def _event(pipeline: Pipeline, row: Row, order: str) -> Event:
    fields = pipeline.event.fields
    values = {name: plain(row[name], spec.type.scale) for name, spec in fields.items()}
    event = Event(values, row["source_partition"], row["seq"], row["decided_seq"], row["action"] == "approve")
    return dataclasses.replace(event, seq=row[order])


def _value(entity: tuple[str, ...], values: Any) -> tuple[Any, ...]:
    return tuple(values[name] for name in entity)
