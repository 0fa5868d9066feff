"""Topics: what a pipeline needs, and creating what is missing; who is in a consumer group."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from feature_store.errors import BrokerError
from streams.kafka.clients import LARGEST_MESSAGE
from streams.kafka.tail import PASSING

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

_TIMEOUT_S = 30.0
_PAUSE_S = 0.1


@dataclass(frozen=True)
class TopicSpec:
    """A topic as it should be."""

    name: str
    partitions: int
    replication: int = 1
    settings: dict[str, str] = field(default_factory=dict)


def pipeline_topics(pipeline: Pipeline) -> list[TopicSpec]:
    """Every topic that ``pipeline`` uses."""
    names = pipeline.topics
    kept = {"retention.ms": str(names.retention // 1_000)}
    compacted = {"cleanup.policy": "compact"}
    ours = kept | {"max.message.bytes": str(LARGEST_MESSAGE)}
    return [
        TopicSpec(names.events, names.partitions, names.replication, kept),
        TopicSpec(names.outcomes, names.partitions, names.replication, kept),
        TopicSpec(names.entity_outcomes, names.partitions, names.replication, kept),
        TopicSpec(names.decisions, names.partitions, names.replication, ours),
        TopicSpec(names.features, names.partitions, names.replication, ours),
        TopicSpec(names.dead_letters, names.partitions, names.replication, ours),
        TopicSpec(names.explanations, names.partitions, names.replication, kept),
        TopicSpec(names.models, 1, names.replication, compacted),
        TopicSpec(names.policy, 1, names.replication, compacted),
        TopicSpec(names.alerts, 1, names.replication, kept),
    ]


def ensure_topics(bootstrap: str, wanted: list[TopicSpec]) -> list[str]:
    """Create what is missing and return those names.

    Raises BrokerError where a topic exists with another number of partitions (keys would move) or cannot
    be created.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap})
    present = _present(admin, bootstrap)
    for spec in wanted:
        there = present.get(spec.name)
        if there is not None and there != spec.partitions:
            raise BrokerError(
                f"topic {spec.name!r} has {there} partitions but the pipeline file "
                f"says {spec.partitions}; set topics.partitions to {there} "
                "or use another topic name"
            )
    missing = [spec for spec in wanted if spec.name not in present]
    if missing:
        _create(admin, missing)
    return [spec.name for spec in missing]


def present_topics(bootstrap: str) -> set[str]:
    """The names of the topics that there are. Raises BrokerError where Kafka does not answer."""
    return set(_present(AdminClient({"bootstrap.servers": bootstrap}), bootstrap))


def group_members(bootstrap: str, group: str) -> int | None:
    """How many consumers are in ``group`` now; None from a broker that does not tell.

    Raises BrokerError where Kafka does not answer.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap})
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            described = admin.describe_consumer_groups([group], request_timeout=_TIMEOUT_S)[group]
            return len(described.result().members)
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.GROUP_ID_NOT_FOUND:
                return 0
            if code == KafkaError._UNSUPPORTED_FEATURE:  # noqa: SLF001  (the client's own name)
                return None
            if code not in PASSING or time.monotonic() > deadline:
                raise BrokerError(f"group {group!r} on {bootstrap} cannot be looked at: {error}") from error
        time.sleep(_PAUSE_S)  # a Kafka that has just started makes its coordinators when first asked


def _present(admin: AdminClient, bootstrap: str) -> dict[str, int]:
    """Topic -> how many partitions it has."""
    try:
        topics = admin.list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException as error:
        raise BrokerError(f"no answer from Kafka at {bootstrap}: {error}") from error
    return {name: len(topic.partitions) for name, topic in topics.items()}


def _create(admin: AdminClient, specs: list[TopicSpec]) -> None:
    new = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=spec.replication,
            config=spec.settings,
        )
        for spec in specs
    ]
    for name, future in admin.create_topics(new, operation_timeout=_TIMEOUT_S).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerError(f"topic {name!r} could not be created: {error}") from error
