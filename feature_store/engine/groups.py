"""A group: all windowed features of one entity, as up to two series: its events, and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.engine.program import (
    Program,
    base_feature,
    denominator,
    event_program,
    truth_program,
)

if TYPE_CHECKING:
    from feature_store.declaration.aggregates import WindowFeature
    from feature_store.declaration.pipeline import Pipeline

EVENTS, TRUTH = "events", "truth"


@dataclass(frozen=True)
class Group:
    """What is computed for one entity."""

    name: str
    entity: tuple[str, ...]
    per_partition: bool
    lateness: int
    programs: dict[str, Program]
    """Series -> its program."""

    @property
    def layout(self) -> str:
        """Changes whenever state of this group cannot be taken over."""
        parts = [f"{name}={program.layout}" for name, program in sorted(self.programs.items())]
        return "+".join([*parts, f"lateness={self.lateness}"])


@dataclass(frozen=True)
class Output:
    """Where a feature's number comes from: columns of the kernels' result."""

    column: int
    denominator: int
    empty: float | None
    entity: tuple[str, ...]


def compile_groups(pipeline: Pipeline) -> tuple[list[Group], list[Output], dict[WindowFeature, int]]:
    """The groups of a pipeline in order of their first feature, an output for every windowed feature, and
    which column of the kernels' result holds what.

    Of a pipeline that is seen as one of its stages just the groups of this stage; columns are those of all.
    """
    features = pipeline.features.window_features()
    columns: dict[WindowFeature, int] = {}
    for feature in features:
        columns.setdefault(base_feature(feature), len(columns))
        if feature.over:
            columns.setdefault(denominator(feature), len(columns))
    groups = []
    for entity in dict.fromkeys(feature.entity for feature in features):
        if pipeline.stage is not None and entity not in pipeline.stage.entities:
            continue
        mine = [feature for feature in columns if feature.entity == entity]
        events = [feature for feature in mine if not feature.aggregate.of_outcomes]
        truth = [feature for feature in mine if feature.aggregate.of_outcomes]
        programs = {}
        if events:
            programs[EVENTS] = event_program(pipeline.event, events, columns)
        if truth:
            programs[TRUTH] = truth_program(pipeline.event, truth, columns)
        follows_key = pipeline.event.key in entity
        groups.append(Group(mine[0].group, entity, follows_key, pipeline.features.lateness, programs))
    outputs = [
        Output(
            columns[base_feature(feature)],
            columns[denominator(feature)] if feature.over else -1,
            feature.empty,
            feature.entity,
        )
        for feature in features
    ]
    return groups, outputs, columns
