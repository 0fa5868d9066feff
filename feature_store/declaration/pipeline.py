"""The pipeline file as a whole, and the rules that hold between its sections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, PrivateAttr, model_validator

from feature_store.clock import ClockName
from feature_store.declaration.base import Declared
from feature_store.declaration.clients import ClientSettings, KafkaSettings
from feature_store.declaration.console import ConsoleSpec
from feature_store.declaration.decision import DecisionSpec
from feature_store.declaration.event import EventSpec, Kind
from feature_store.declaration.features import Feature, FeatureSpec, code_name
from feature_store.declaration.monitoring import MonitoringSpec
from feature_store.declaration.outcomes import OutcomeSpec
from feature_store.declaration.serving import ServingSpec
from feature_store.declaration.stages import Stage, stages_of
from feature_store.declaration.texts import check_texts
from feature_store.declaration.topics import TopicNames
from feature_store.declaration.training import TrainingSpec

if TYPE_CHECKING:
    from feature_store.declaration.aggregates import WindowFeature

LOG_COLUMNS = frozenset(
    {
        "event_id", "event_time", "stage", "seq", "source_partition", "source_offset",
        "record_time", "arrived_at", "decided_at", "body_digest", "margin", "score", "engine",
        "model", "policy_action", "action", "propensity", "rules", "fallback", "late", "decided_seq",
        "let_through", "definitions", "log_offset", "origin_partition", "origin_offset",
    }
)  # fmt: skip
"""Names that log and history keep; the declared id and time may be ``event_id`` and ``event_time``."""

_SUMMABLE = {Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT}
_ROUTABLE = {Kind.STRING, Kind.INTEGER, Kind.BOOLEAN}


class Pipeline(Declared):
    """One pipeline: what comes in, what is computed, how it is decided, how it learns."""

    pipeline: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,40}$",
        description="the pipeline's name: lower-case letters, digits and -, at most 41",
    )
    clock: ClockName = Field(default="wall", description="wall, or stream: time is what the records say")
    broker: str = Field(default="auto", description="auto, kafka, embedded, or host:port,host:port")
    kafka: KafkaSettings = Field(
        default_factory=dict,
        description="settings of every Kafka client, by librdkafka's names: security.protocol, sasl.*, "
        "ssl.*, …; secrets as ${NAME}; what would break a promise is refused",
    )
    schema_registry: ClientSettings = Field(
        default_factory=dict,
        description="settings of the Schema Registry's client, by its names: url, basic.auth.user.info, "
        "ssl.*, …; for event.format avro and protobuf",
    )
    topics: TopicNames = TopicNames()
    event: EventSpec
    features: FeatureSpec
    outcomes: OutcomeSpec
    decision: DecisionSpec
    training: TrainingSpec = TrainingSpec()
    serving: ServingSpec = ServingSpec()
    monitoring: MonitoringSpec = MonitoringSpec()
    console: ConsoleSpec = ConsoleSpec()
    _stage: Stage | None = PrivateAttr(default=None)
    _whole: Pipeline | None = PrivateAttr(default=None)

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.pipeline

    @property
    def field_types(self) -> dict[str, str]:
        """Field -> declared type, as text."""
        return {name: str(spec.type) for name, spec in self.event.fields.items()}

    @property
    def feature_vector(self) -> tuple[Feature, ...]:
        """Every declared feature with its hash, in the order of the matrix columns."""
        return self.features.ordered(self.field_types, self.event.time)

    def follows_key(self, feature: WindowFeature) -> bool:
        """Whether all events of this entity are on one partition, so that its state is per partition."""
        return self.event.key in feature.entity

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Through which stages an event passes; none in a pipeline that one kind of scorer decides."""
        if not self.features.staged:
            return ()
        found = stages_of(self.whole.event, self.features.window_features())
        return found if found[1:] else ()

    @property
    def stage(self) -> Stage | None:
        """As which of its stages this pipeline is seen; None where as a whole."""
        return self._stage

    @property
    def whole(self) -> Pipeline:
        """The pipeline as its file declares it, whichever stage this is."""
        return self._whole or self

    @property
    def decides(self) -> bool:
        """Whether decisions come from here: everywhere but in the stages before the last."""
        return self._stage is None or self._stage.last

    @property
    def stages_before(self) -> int:
        """Through how many stages an event has passed when it comes to what decides, or to this one."""
        if self._stage is not None:
            return self._stage.number
        return max(len(self.stages) - 1, 0)

    def at(self, stage: Stage) -> Pipeline:
        """The pipeline as one of its stages sees it: keyed as its input is, with its topics and its log.

        A stage that does not decide has a name of its own, and with it a group, snapshots and offsets.
        """
        topics = {
            "events": self.topics.between(stage),
            "features": self.topics.log_of(stage),
            "entity_outcomes": self.topics.outcomes_of(stage),
        }
        if not stage.last:
            topics["decisions"] = self.topics.between(self.stages[stage.number + 1])
        seen = self.model_copy(
            update={
                "pipeline": self.name if stage.last else f"{self.name}.stage-{stage.number}",
                "event": self.event.model_copy(update={"key": stage.key}),
                "topics": self.topics.model_copy(update=topics),
            }
        )
        seen._stage, seen._whole = stage, self  # noqa: SLF001  (its own, of another)
        return seen

    @property
    def views(self) -> list[Pipeline]:
        """The pipeline as each of its stages sees it, in order; as it is where it has none."""
        return [self.at(stage) for stage in self.stages] or [self]

    @property
    def deciding(self) -> Pipeline:
        """The pipeline as those see it who read decisions and the feature log: as its last stage does."""
        return self.at(self.stages[-1]) if self._stage is None and self.stages else self

    @property
    def scorer_group(self) -> str:
        """The consumer group of its scorers; each stage has its own."""
        return f"sluicegate.{self.name}.scorer"

    @property
    def global_features(self) -> tuple[WindowFeature, ...]:
        """Features whose entity the partition key does not determine: one scorer must hold all partitions."""
        if self.stages:
            return ()
        return tuple(f for f in self.features.window_features() if not self.follows_key(f))

    @property
    def reach(self) -> int:
        """How far back (us) state goes: the longest window with its delay, and the lateness."""
        longest = max((feature.reach for feature in self.features.window_features()), default=0)
        return longest + self.features.lateness

    def keeps(self, span: int) -> bool:
        """Whether what its topics have dropped is older than ``span`` (us): they drop by the wall's clock, so
        on another nothing is known.
        """
        return self.clock == "wall" and self.topics.retention >= span

    @property
    def outcome_fields(self) -> tuple[str, ...]:
        """The fields that say to whom an outcome belongs; none where no feature counts outcomes.

        Of a stage before the last, those of its own entities; what decides hears of all.
        """
        features = [f for f in self.features.window_features() if f.aggregate.of_outcomes]
        if self._stage is not None and not self._stage.last:
            features = [f for f in features if f.entity in self._stage.entities]
        return tuple(dict.fromkeys(name for feature in features for name in feature.entity))

    @property
    def counting_stages(self) -> tuple[Stage, ...]:
        """The stages before the last that count outcomes; most pipelines have none."""
        counted = {f.entity for f in self.features.window_features() if f.aggregate.of_outcomes}
        return tuple(s for s in self.stages if not s.last and not counted.isdisjoint(s.entities))

    @model_validator(mode="after")
    def _sections_fit(self) -> Self:
        if self.event.format != "json" and "url" not in self.schema_registry:
            raise ValueError(f"schema_registry: url: missing; event.format is {self.event.format}")
        self._check_windows()
        self._check_stages()
        self._check_categories()
        self._check_names()
        check_texts(self.features.texts, self.feature_vector)
        amount = self.decision.costs.amount
        if amount is not None:
            self._require_number("decision.costs.amount", amount)
        self.console.check_against(self.outcomes.sources)
        self.serving.check_against(self.training.algorithm)
        self.training.check_against({feature.name for feature in self.feature_vector})
        self.monitoring.check_against({feature.name for feature in self.feature_vector})
        self.decision.check_against(self.event.fields, {feature.name for feature in self.feature_vector})
        return self

    def _check_windows(self) -> None:
        for feature in self.features.window_features():
            for part in feature.entity:
                if part not in self.event.fields:
                    raise ValueError(f"features.windows: entity {part!r} is not a declared field")
            where = f"features.windows: {feature.aggregate}"
            if feature.aggregate.of_numbers:
                self._require_number(where, feature.column or "")
            elif feature.column is not None and feature.column not in self.event.fields:
                raise ValueError(f"{where}: {feature.column!r} is not a declared field")
        for name in self.outcome_fields:
            if self.event.fields[name].type.kind not in _ROUTABLE:
                raise ValueError(
                    f"features.windows: frauds of {name!r}: outcomes are counted for fields of type string, "
                    "integer or boolean"
                )
        named: dict[str, str] = {}
        for condition in self.features.conditions():
            if named.setdefault(condition.name, condition.sql) != condition.sql:
                raise ValueError(f"features.windows: where: {condition.name!r} stands for two conditions")

    def _check_stages(self) -> None:
        if self.stages and self.features.late == "amend":
            raise ValueError(
                "features.late: amend is not there for staged pipelines; use score or dead_letter"
            )
        if self.stages and self.serving.delivery != "exactly_once":
            raise ValueError(
                "serving.delivery: a staged pipeline is exactly_once: stages hand on what is committed"
            )

    def _check_categories(self) -> None:
        for field, values in self.features.categories.items():
            where = f"features.categories: {field!r}"
            if field not in self.event.fields:
                raise ValueError(f"{where} is not a declared field")
            if self.event.fields[field].type.kind is not Kind.STRING:
                raise ValueError(f"{where} is not a string; a number is a feature by itself, under rows")
            if len(set(values)) < len(values):
                raise ValueError(f"{where} names a value twice")
            if code_name(field) in self.event.fields:
                raise ValueError(f"{where}: {code_name(field)!r} is already the name of an event field")

    def _require_number(self, where: str, field: str) -> None:
        if field not in self.event.fields:
            raise ValueError(f"{where}: {field!r} is not a declared field")
        kind = self.event.fields[field].type.kind
        if kind not in _SUMMABLE:
            raise ValueError(f"{where}: {field!r} is a {kind}; expected integer, decimal or float")

    def _check_names(self) -> None:
        taken: dict[str, str] = {}
        own = {"event_id": self.event.id, "event_time": self.event.time}
        reserved = LOG_COLUMNS - {column for column, field in own.items() if column == field}
        reserved |= {f"seq_{number}" for number in range(self.stages_before)}
        reserved |= {stage.known for stage in self.counting_stages}
        for name in self.event.fields:
            if name.lower() in reserved:
                raise ValueError(f"event.fields: {name!r} is a name that the feature log uses itself")
            if name.lower() in taken:
                raise ValueError(f"event.fields: {name!r} differs from another field in case only")
            taken[name.lower()] = "an event field"
        for feature in self.feature_vector:
            name = feature.name.lower()
            if name in reserved:
                raise ValueError(f"features: {feature.name!r} is a name the feature log uses itself")
            if name in taken:
                raise ValueError(f"features: {feature.name!r} is already the name of {taken[name]}")
            taken[name] = "a feature"
        if not self.feature_vector:
            raise ValueError("features: declare at least one feature")
