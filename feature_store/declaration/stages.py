"""Stages: which entity's features are computed where, so that any number of scorers stays exact.

State of an entity is exact where all of its events meet. The first stage is keyed as the events are; every
further one by a field of an entity that the partition key does not determine. The event passes through them
in order, each adds the features of its entities, and the last one decides. Known frauds are counted in any
stage; their rate stands in the last, since only there it is known which events were let through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.declaration.aggregates import Aggregate
from feature_store.declaration.event import Kind
from feature_store.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.aggregates import WindowFeature
    from feature_store.declaration.event import EventSpec
    from feature_store.declaration.pipeline import Pipeline

_KEYS = {Kind.STRING, Kind.INTEGER}
Entity = tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """One stage: its place, the field that its input is keyed by, the entities that it counts for."""

    number: int
    key: str
    entities: frozenset[Entity]
    last: bool

    @property
    def name(self) -> str:
        """As topics and processes are named after it: ``1-terminal_id``."""
        return f"{self.number}-{self.key}"

    @property
    def known(self) -> str:
        """The column that says what it knew of outcomes, where it counts them before the last stage."""
        return f"known_{self.number}"


def stages_of(event: EventSpec, features: Iterable[WindowFeature]) -> tuple[Stage, ...]:
    """The stages that these features need, in order; one alone where the partition key determines them all.

    Raises ValueError, naming the key of the pipeline file, where no order of stages makes them exact.
    """
    counted: dict[Entity, set[Aggregate]] = {}
    for feature in features:
        counted.setdefault(feature.entity, set()).add(feature.aggregate)
    if all(event.key in entity for entity in counted):
        return (Stage(0, event.key, frozenset(counted), last=True),)
    in_last, last = _of_the_last(event, counted)
    homes: dict[Entity, str] = {}
    keys: dict[str, None] = {}
    for entity in sorted(counted, key=len):  # one field alone leaves no choice: these first
        if entity in in_last and last is not None:
            homes[entity] = last
        elif event.key not in entity:
            homes[entity] = _key_of(event, entity, [*keys, *([last] if last else [])])
            keys[homes[entity]] = None
    between = [key for key in keys if key != last]
    final = last or between.pop()
    further = [*between, final]
    plan = [Stage(0, event.key, frozenset(e for e in counted if e not in homes), last=False)]
    for number, key in enumerate(further, 1):
        mine = frozenset(entity for entity, home in homes.items() if home == key)
        plan.append(Stage(number, key, mine, last=number == len(further)))
    return tuple(plan)


def seen_at(pipeline: Pipeline, number: int | None) -> Pipeline:
    """The pipeline as a scorer of this stage sees it; None for one that is not staged.

    Raises ConfigError where there is no such stage, or where it is not said which.
    """
    stages = pipeline.stages
    if not stages and not number:
        return pipeline
    if not stages:
        raise ConfigError(f"--stage {number}: pipeline {pipeline.name!r} is not staged; leave --stage out")
    if number is None or number >= len(stages):
        there = ", ".join(f"{each.number} ({each.key})" for each in stages)
        raise ConfigError(f"pipeline {pipeline.name!r} is staged; say --stage with one of {there}")
    return pipeline.at(stages[number])


def _of_the_last(event: EventSpec, counted: dict[Entity, set[Aggregate]]) -> tuple[list[Entity], str | None]:
    """The entities whose outcomes make them stand in the last stage, and the field that it is keyed by.

    All whose outcomes are counted, where they share a field; else those that have a rate.
    """
    truth = [e for e, aggregates in counted.items() if any(each.of_outcomes for each in aggregates)]
    if (shared := _shared(event, truth)) is not None:
        return truth, shared
    rates = [entity for entity in truth if Aggregate.FRAUD_RATE in counted[entity]]
    shared = _shared(event, rates)
    if rates and shared is None:
        named = " and ".join("+".join(entity) for entity in rates)
        raise ValueError(
            f"features.staged: fraud_rate is of {named}, which no one field determines, but only the last "
            "stage knows which events were let through; keep fraud_rate for one of them, and count frauds "
            "for the others: that any stage can"
        )
    return rates, shared


def _shared(event: EventSpec, entities: list[Entity]) -> str | None:
    """A field that all of these contain and that a stage may be keyed by: the event's key, if it can be."""
    if not entities:
        return None
    shared = [name for name in entities[0] if all(name in entity for entity in entities[1:])]
    usable = [name for name in shared if _may_be_key(event, name)]
    return event.key if event.key in usable else next(iter(usable), None)


def _key_of(event: EventSpec, entity: Entity, taken: list[str]) -> str:
    usable = [name for name in entity if _may_be_key(event, name)]
    if not usable:
        raise ValueError(
            f"features.staged: entity {'+'.join(entity)} has no field of type string or integer; its stage "
            "would have no key"
        )
    return next((name for name in taken if name in usable), usable[0])


def _may_be_key(event: EventSpec, name: str) -> bool:
    return event.fields[name].type.kind in _KEYS
