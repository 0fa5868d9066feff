"""What has to be computed for one entity: features taken apart into raw aggregates over frames.

Several features share raw aggregates: sum and mean share the sum, a ratio is two of the same over two
frames. Each raw aggregate is computed once; a feature is an expression over them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from feature_store.declaration.aggregates import Aggregate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.aggregates import Condition, WindowFeature
    from feature_store.declaration.pipeline import Pipeline

SEQ = "seq"
"""The column of the applied order where an event is decided."""

_EVER = 2**60
"""Longer than from the first instant to the last, and still far from the end of an int64."""


class Of(StrEnum):
    """What a raw aggregate computes of its input."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    STD = "std"
    AVERAGE = "average"
    """The mean as float64: what deviations are put together with, not the exact MEAN of a feature."""
    DISTINCT = "distinct"
    LAST = "last"
    NEWEST = "newest"
    """The latest event time among the rows of the input."""
    LET_THROUGH = "let_through"
    """How many events were let through, as far as that was known."""
    FRAUDS = "frauds"
    LET_THROUGH_FRAUDS = "let_through_frauds"

    @property
    def of_deltas(self) -> bool:
        """Whether it is taken over outcome deltas instead of events."""
        return self in {Of.FRAUDS, Of.LET_THROUGH_FRAUDS}


@dataclass(frozen=True)
class Frame:
    """``(t - delay - window, t - delay]`` in microseconds, with or without the event itself."""

    delay: int
    window: int
    include_current: bool

    @property
    def ends(self) -> int:
        """How long before the event the frame ends, inclusive."""
        return min(self.delay, _EVER)

    @property
    def begins(self) -> int:
        """How long before the event the frame begins, exclusive."""
        return min(self.delay + self.window, _EVER)


@dataclass(frozen=True)
class Input:
    """The values of a field (None: the event as such), where the condition holds."""

    column: str | None = None
    condition: str | None = None


@dataclass(frozen=True)
class Raw:
    """One aggregate over one frame; ``position`` is the k of the k-th newest."""

    of: Of
    input: Input
    frame: Frame
    position: int = 0


@dataclass
class Group:
    """All features of one entity, and the raw aggregates they need, in a fixed order."""

    entity: tuple[str, ...]
    per_partition: bool
    order: str = SEQ
    """The column of the applied order that these features saw, where the history has it; else ``SEQ``."""
    known: str | None = None
    """The column of the last ``route_seq`` that its stage knew; None: what has a lower ``seq`` is known."""
    features: list[WindowFeature] = field(default_factory=list)
    raws: dict[Raw, str] = field(default_factory=dict)
    """Raw aggregate -> its column."""

    def column(self, raw: Raw) -> str:
        """The column of a raw aggregate, which is planned from now on."""
        return self.raws.setdefault(raw, f"r{len(self.raws)}")

    @property
    def inputs(self) -> dict[Input, str]:
        """Every input -> its column."""
        used = dict.fromkeys(raw.input for raw in self.raws)
        return {each: f"v{i}" for i, each in enumerate(used) if each != Input()}

    def frames(self, *, of_deltas: bool) -> dict[Frame, dict[Raw, str]]:
        """The raw aggregates of each frame, either those over events or those over deltas."""
        found: dict[Frame, dict[Raw, str]] = {}
        for raw, column in self.raws.items():
            if raw.of.of_deltas is of_deltas:
                found.setdefault(raw.frame, {})[raw] = column
        return found


def frame_of(feature: WindowFeature, window: int) -> Frame:
    """The frame of a feature over one of its two windows."""
    return Frame(feature.delay, window, feature.include_current)


def input_of(feature: WindowFeature) -> Input:
    """What a feature aggregates."""
    return Input(feature.column, _name(feature.condition))


def needed(feature: WindowFeature) -> list[Raw]:
    """The raw aggregates a feature is made of."""
    windows = [feature.window, feature.over] if feature.over else [feature.window]
    found = [raw for window in windows for raw in parts(feature, frame_of(feature, window))]
    return [*found, *(other for raw in found for other in _beside(raw))]


def _beside(raw: Raw) -> list[Raw]:
    """What it takes to put a raw aggregate of a whole frame together from two stretches."""
    if raw.of is Of.STD:
        return [replace(raw, of=Of.COUNT), replace(raw, of=Of.AVERAGE)]
    if raw.of is Of.LAST:
        return [replace(raw, position=k) for k in range(1, raw.position)]
    return []


def parts(feature: WindowFeature, frame: Frame) -> list[Raw]:
    """The raw aggregates over one frame, numerator first."""
    values = input_of(feature)
    if feature.aggregate in _SINGLE:
        return [Raw(_SINGLE[feature.aggregate], values, frame, feature.position)]
    if feature.aggregate is Aggregate.MEAN:
        return [Raw(Of.SUM, values, frame), Raw(Of.COUNT, values, frame)]
    if feature.aggregate is Aggregate.SUM:
        return [Raw(Of.SUM, values, frame)]
    if feature.aggregate is Aggregate.RATE:
        return [Raw(Of.COUNT, values, frame), Raw(Of.COUNT, Input(), frame)]
    return [Raw(Of.LET_THROUGH_FRAUDS, Input(), frame), Raw(Of.LET_THROUGH, Input(), frame)]


def groups(features: Iterable[WindowFeature], pipeline: Pipeline) -> list[Group]:
    """The features by entity. State of an entity that contains the partition key is per partition.

    In a staged pipeline all events of an entity meet on one partition of its stage, whichever partition they
    are decided on: there no state is per partition, and each has the order of its stage.
    """
    orders, known = stage_orders(pipeline), _stage_knowledge(pipeline)
    found: dict[tuple[str, ...], Group] = {}
    for feature in features:
        entity = feature.entity
        per_partition = not orders and pipeline.follows_key(feature)
        new = Group(entity, per_partition, orders.get(entity, SEQ), known.get(entity))
        group = found.setdefault(entity, new)
        group.features.append(feature)
        for raw in needed(feature):
            group.column(raw)
    return list(found.values())


def stage_orders(pipeline: Pipeline) -> dict[tuple[str, ...], str]:
    """Entity -> the column of the order in its stage; nothing where the pipeline is not staged."""
    return {
        entity: SEQ if stage.last else f"seq_{stage.number}"
        for stage in pipeline.whole.stages
        for entity in stage.entities
    }


def _stage_knowledge(pipeline: Pipeline) -> dict[tuple[str, ...], str]:
    """Entity -> the column that says what its stage knew, of the stages before the last."""
    return {entity: stage.known for stage in pipeline.whole.counting_stages for entity in stage.entities}


def _name(condition: Condition | None) -> str | None:
    return condition.name if condition is not None else None


_SINGLE = {
    Aggregate.COUNT: Of.COUNT,
    Aggregate.MIN: Of.MIN,
    Aggregate.MAX: Of.MAX,
    Aggregate.STD: Of.STD,
    Aggregate.DISTINCT: Of.DISTINCT,
    Aggregate.LAST: Of.LAST,
    Aggregate.SINCE_LAST: Of.NEWEST,
    Aggregate.FRAUDS: Of.FRAUDS,
}
