"""Topics: what a pipeline needs, how safe their copies are, creating what is missing, and what there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]
from confluent_kafka.cimpl import NewTopic

from feature_store.errors import BrokerError
from streams.kafka.admin import TIMEOUT_S, admin_of
from streams.kafka.clients import LARGEST_MESSAGE
from streams.kafka.led import wait_until_led
from streams.kafka.refused import refused_access

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka.admin import AdminClient

    from feature_store.declaration.pipeline import Pipeline

_SAFE_COPIES, _SAFE_IN_SYNC = 3, 2
"""One broker may be lost without losing what was acknowledged, and without stopping."""
IN_SYNC = "min.insync.replicas"
INTERNAL = ("__consumer_offsets", "__transaction_state")
"""Kafka's own topics that exactly-once rests on; made with the broker's settings, when first needed."""


@dataclass(frozen=True)
class TopicSpec:
    """A topic as it should be; ``replication`` None: as safe as the cluster's size allows."""

    name: str
    partitions: int
    replication: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def copies(self, brokers: int) -> int:
        """Copies of each partition on a cluster of so many brokers."""
        return self.replication or min(_SAFE_COPIES, brokers)

    def in_sync(self, brokers: int) -> int:
        """How many copies must have a record before it counts as written."""
        return _SAFE_IN_SYNC if self.copies(brokers) >= _SAFE_COPIES else 1

    def settings_on(self, brokers: int) -> dict[str, str]:
        """The topic's settings on a cluster of so many brokers."""
        least = self.in_sync(brokers)
        return {**({IN_SYNC: str(least)} if least > 1 else {}), **self.settings}


@dataclass(frozen=True)
class PresentTopic:
    """A topic as it is; ``settings`` is None where the broker does not tell them."""

    partitions: int
    replication: int
    settings: Mapping[str, str] | None


def pipeline_topics(pipeline: Pipeline) -> list[TopicSpec]:
    """Every topic that ``pipeline`` uses."""
    pipeline = pipeline.whole
    names = pipeline.topics
    kept = {"cleanup.policy": "delete", "retention.ms": str(names.retention // 1_000)}
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
        *(
            TopicSpec(names.between(s), names.partitions, names.replication, ours)
            for s in pipeline.stages[1:]
        ),
        *(
            TopicSpec(names.log_of(s), names.partitions, names.replication, ours)
            for s in pipeline.stages[:-1]
        ),
        *(
            TopicSpec(names.outcomes_of(s), names.partitions, names.replication, kept)
            for s in pipeline.counting_stages
        ),
    ]


def ensure_topics(bootstrap: str, wanted: list[TopicSpec]) -> list[str]:
    """Create what is missing, wait until it can be written, and return those names.

    Raises BrokerError where a topic exists with another number of partitions (keys would move), cannot be
    created, or is led by no broker.
    """
    admin = admin_of(bootstrap)
    present, brokers = _listed(admin, bootstrap)
    for spec in wanted:
        there = present.get(spec.name)
        if there is not None and there.partitions != spec.partitions:
            raise BrokerError(
                f"topic {spec.name!r} has {there.partitions} partitions but the pipeline file "
                f"says {spec.partitions}; set topics.partitions to {there.partitions} "
                "or use another topic name"
            )
    missing = [spec for spec in wanted if spec.name not in present]
    if missing:
        _create(admin, missing, brokers)
        new = [(spec.name, number) for spec in missing for number in range(spec.partitions)]
        if unled := wait_until_led(admin, new, TIMEOUT_S):
            places = ", ".join(f"{name}[{number}]" for name, number in unled)
            raise BrokerError(
                f"{places}: made, but led by no broker after {TIMEOUT_S:.0f} s, so nothing can be written "
                "there; see which brokers run, then try again"
            )
    return [spec.name for spec in missing]


def present_topics(bootstrap: str) -> set[str]:
    """The names of the topics that there are. Raises BrokerError where Kafka does not answer."""
    return set(_listed(admin_of(bootstrap), bootstrap)[0])


def described_topics(bootstrap: str, names: list[str]) -> tuple[dict[str, PresentTopic], int]:
    """Those of ``names`` that there are, with their settings; and how many brokers the cluster has.

    Kafka's internal topics are told without settings.
    Raises BrokerError where Kafka does not answer or does not allow it.
    """
    admin = admin_of(bootstrap)
    listed, brokers = _listed(admin, bootstrap)
    found = {name: listed[name] for name in names if name in listed}
    told = _settings(admin, [name for name in found if name not in INTERNAL])
    return {
        name: PresentTopic(topic.partitions, topic.replication, told.get(name))
        for name, topic in found.items()
    }, brokers


def _listed(admin: AdminClient, bootstrap: str) -> tuple[dict[str, PresentTopic], int]:
    try:
        cluster = admin.list_topics(timeout=TIMEOUT_S)
    except KafkaException as error:
        raise BrokerError(f"no answer from Kafka at {bootstrap}: {error}") from error
    found = {
        name: PresentTopic(
            len(topic.partitions), min((len(p.replicas) for p in topic.partitions.values()), default=0), None
        )
        for name, topic in cluster.topics.items()
    }
    return found, len(cluster.brokers)


def _settings(admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Topic -> its settings; none from a broker that does not tell them."""
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    told: dict[str, dict[str, str]] = {}
    if not asked:
        return told
    for resource, future in admin.describe_configs(asked, request_timeout=TIMEOUT_S).items():
        try:
            entries = future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError._UNSUPPORTED_FEATURE:  # noqa: SLF001  (the client's name)
                return {}
            topic = f"topic {resource.name!r}"
            raise refused_access(error.args[0], topic, "DescribeConfigs") or BrokerError(
                f"{topic} does not tell its settings: {error}"
            ) from error
        told[resource.name] = {name: str(entry.value) for name, entry in entries.items()}
    return told


def _create(admin: AdminClient, specs: list[TopicSpec], brokers: int) -> None:
    new = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=spec.copies(brokers),
            config=spec.settings_on(brokers),
        )
        for spec in specs
    ]
    for name, future in admin.create_topics(new, operation_timeout=TIMEOUT_S).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise refused_access(error.args[0], f"topic {name!r}", "Create") or BrokerError(
                    f"topic {name!r} could not be created: {error}"
                ) from error
