"""What else is known of the entities of an event: their last decisions, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feature_store.duck import quoted
from training.dataset.labels import TRUTHS
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
    return list(dict.fromkeys([(pipeline.whole.event.key,), *(feature.entity for feature in features)]))


def entity_histories(
    store: Connection, pipeline: Pipeline, event: dict[str, Any], arrived_at: int, most: int = 10
) -> list[EntityHistory]:
    """What is known of each entity that ``event`` has; it arrived at ``arrived_at`` (us)."""
    entities = [
        {name: event[name] for name in fields}
        for fields in entities_of(pipeline)
        if all(event.get(name) is not None for name in fields)
    ]
    values = {name: value for entity in entities for name, value in entity.items()}
    parameters: dict[str, object] = {f"value_{number}": value for number, value in enumerate(values.values())}
    parameters["after"] = max(0, arrived_at - REACH)
    said = {name: f"{quoted(name)} = $value_{number}" for number, name in enumerate(values)}
    are = [" AND ".join(said[name] for name in entity) for entity in entities]
    parts = {
        "flags": ", ".join(f"coalesce({each}, false) AS of_{number}" for number, each in enumerate(are)),
        "any": " OR ".join(f"({each})" for each in are),
    }
    lines = _lines(store, pipeline, parts, parameters | {"most": most}, len(entities))
    wanted = ", ".join(sql("decisions_counts_of_entity").format(number=n) for n in range(len(entities)))
    query = sql("decisions_entity_counts").format(counts=wanted, truths=TRUTHS, **parts)
    (counts,) = asked(store, query, parameters | {"precedence": list(pipeline.outcomes.sources)})
    return [
        EntityHistory(entity, **counts[f"entity_{number}"], lines=lines[number])
        for number, entity in enumerate(entities)
    ]


def _lines(
    store: Connection,
    pipeline: Pipeline,
    parts: dict[str, str],
    parameters: dict[str, object],
    entities: int,
) -> list[list[Listed]]:
    """The newest events of each entity."""
    each = sql("decisions_newest_of_entity")
    newest = " UNION ALL ".join(each.format(number=number) for number in range(entities))
    query = sql("decisions_of_entities").format(columns=columns(pipeline), newest=newest, **parts)
    found = asked(store, query, parameters)
    told = with_labels(store, pipeline, [listed(row) for row in found])
    by_entity: list[list[Listed]] = [[] for _ in range(entities)]
    for row, line in zip(found, told, strict=True):
        by_entity[row["entity"]].append(line)
    return by_entity
