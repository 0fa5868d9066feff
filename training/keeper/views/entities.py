"""What else is known of the entities of an event: their last decisions, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feature_store.duck import quoted
from training.keeper.queries import sql
from training.keeper.review_demand import DAY
from training.keeper.store import asked
from training.keeper.views.listed import Listed, columns, listed, with_labels

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection

REACH = 90 * DAY
"""How long before the event its entities are looked at."""


@dataclass(frozen=True)
class EntityHistory:
    """An entity by its fields and their values, and its events from ``REACH`` before this one until now."""

    fields: dict[str, Any]
    events: int
    reviewed: int
    declined: int
    frauds: int
    lines: list[Listed]


def entities_of(pipeline: Pipeline) -> list[tuple[str, ...]]:
    """What features are counted for, and the partition key; each as its fields."""
    features = pipeline.features.window_features()
    return list(dict.fromkeys([(pipeline.event.key,), *(feature.entity for feature in features)]))


def entity_histories(
    store: Connection, pipeline: Pipeline, event: dict[str, Any], arrived_at: int, most: int = 10
) -> list[EntityHistory]:
    """What is known of each entity that ``event`` has; it arrived at ``arrived_at`` (us)."""
    found = []
    for fields in entities_of(pipeline):
        values = {name: event.get(name) for name in fields}
        if None not in values.values():
            found.append(_history(store, pipeline, values, arrived_at - REACH, most))
    return found


def _history(
    store: Connection, pipeline: Pipeline, values: dict[str, Any], after: int, most: int
) -> EntityHistory:
    entity = " AND ".join(f"{quoted(name)} = $value{number}" for number, name in enumerate(values))
    parameters: dict[str, object] = {f"value{number}": value for number, value in enumerate(values.values())}
    parameters["after"] = max(0, after)
    query = sql("decisions_of_entity").format(columns=columns(pipeline), entity=entity)
    lines = [listed(row) for row in asked(store, query, parameters | {"most": most})]
    (counts,) = asked(store, sql("decisions_entity_counts").format(entity=entity), parameters)
    return EntityHistory(
        values,
        int(counts["events"]),
        int(counts["reviewed"]),
        int(counts["declined"]),
        int(counts["frauds"]),
        with_labels(store, pipeline, lines),
    )
