"""What a pipeline declares, in few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.units import format_duration

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


def summary(pipeline: Pipeline) -> dict[str, Any]:
    """The pipeline in numbers and names."""
    windows = pipeline.features.window_features()
    return {
        "pipeline": pipeline.name,
        "clock": pipeline.clock,
        "broker": pipeline.broker,
        "events": pipeline.whole.topics.events,
        "partitions": pipeline.topics.partitions,
        "key": pipeline.whole.event.key,
        "fields": len(pipeline.event.fields),
        "features": len(pipeline.feature_vector),
        "row_features": len(pipeline.features.rows),
        "category_features": len(pipeline.features.categories),
        "window_features": len(windows),
        "conditions": [condition.name for condition in pipeline.features.conditions()],
        "entities": list(dict.fromkeys(" + ".join(feature.entity) for feature in windows)),
        "global_features": [feature.name for feature in pipeline.global_features],
        "stages": [
            {"key": stage.key, "entities": sorted(" + ".join(entity) for entity in stage.entities)}
            for stage in pipeline.stages
        ],
        "delivery": pipeline.serving.delivery,
        "retention_note": _retention_note(pipeline),
        "schedule": f"{pipeline.training.schedule} {pipeline.training.time_zone}",
        "algorithm": pipeline.training.algorithm,
    }


def describe(config: Path, told: dict[str, Any]) -> str:
    """The summary as a few lines."""
    lines = [
        f"{config}: sound",
        (
            f"  {told['pipeline']}: {told['fields']} fields on {told['events']!r} "
            f"({told['partitions']} partitions, key {told['key']})"
        ),
        f"  {_features(told)}",
        f"  retrained by cron {told['schedule']} with {told['algorithm']}; clock: {told['clock']}",
    ]
    if told["stages"]:
        named = "; ".join(
            f"{number} keyed by {stage['key']}: {', '.join(stage['entities']) or 'checks only'}"
            for number, stage in enumerate(told["stages"])
        )
        lines.append(f"  in {len(told['stages'])} stages, each with scorers of its own: {named}")
    if told["global_features"]:
        lines.append(
            f"  one scorer must hold all partitions: the key {told['key']} does not determine the entity of "
            f"{', '.join(told['global_features'])}"
        )
    if told["delivery"] == "at_least_once":
        lines.append(
            "  delivered at least once: after a kill or a lost partition, decisions and dead letters of one "
            "step may come twice; whoever acts on them keeps the first of each `source` (features, store "
            "and training count every event once)"
        )
    if told["retention_note"]:
        lines.append(f"  {told['retention_note']}")
    return "\n".join(lines)


def _retention_note(pipeline: Pipeline) -> str | None:
    kept = pipeline.topics.retention
    if pipeline.clock == "stream" or kept >= pipeline.reach:
        return None
    return (
        f"topics.retention ({format_duration(kept)}) is shorter than the longest window with delay and "
        f"lateness ({format_duration(pipeline.reach)}): without a snapshot, state cannot be rebuilt"
    )


def _features(told: dict[str, Any]) -> str:
    parts = [f"{told['row_features']} from the event itself"]
    if count := told["category_features"]:
        parts.append(f"{count} {'category' if count == 1 else 'categories'}")
    over = f"{told['window_features']} over windows of {', '.join(told['entities']) or 'no entity'}"
    if told["conditions"]:
        over += f" (where {', '.join(told['conditions'])})"
    return (
        f"{told['features']} features: {', '.join([*parts, over])}; `sluicegate features list` explains each"
    )
