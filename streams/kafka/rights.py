"""What each process does on the pipeline's topics, and asking Kafka at start whether its user may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from feature_store.errors import BrokerError
from streams.kafka.admin import TIMEOUT_S, admin_of
from streams.kafka.refused import AccessError, not_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from confluent_kafka.admin import TopicDescription  # type: ignore[attr-defined]

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka.cluster import Cluster

_READ, _WRITE, _BOTH, _SEE = ("Read",), ("Write",), ("Read", "Write"), ("Describe",)

NEEDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "scorer": {
        "events": _READ, "entity_outcomes": _READ, "features": _BOTH, "decisions": _WRITE,
        "dead_letters": _WRITE, "models": _READ, "policy": _READ, "alerts": _WRITE,
    },
    "keeper": {
        "features": _READ, "decisions": _READ, "outcomes": _BOTH, "entity_outcomes": _BOTH,
        "models": _BOTH, "policy": _BOTH, "alerts": _WRITE, "events": _SEE, "dead_letters": _SEE,
        "explanations": _SEE,  # seen, so that it does not take them for missing
    },
    "monitor": {
        "events": _READ, "features": _READ, "decisions": _READ, "outcomes": _READ, "models": _READ,
        "alerts": _BOTH,
    },
    "explainer": {"features": _READ, "models": _READ, "explanations": _BOTH},
    "sink": {"features": _READ, "decisions": _READ},
}  # fmt: skip
"""Process -> topic, by its key in `topics` -> Kafka's names of the operations."""


def topics_needed(pipeline: Pipeline, process: str) -> dict[str, tuple[str, ...]]:
    """Topic, by its name -> operations. A stage before the last reads outcomes only where it counts them."""
    needs = dict(NEEDS[process])
    if process == "keeper" and pipeline.features.late == "amend":
        needs["decisions"] = _BOTH
    if not pipeline.decides and not pipeline.outcome_fields:
        needs.pop("entity_outcomes", None)
    topics = pipeline.topics
    named = {str(getattr(topics, key)): needed for key, needed in needs.items()}
    stages = pipeline.counting_stages if process == "keeper" else ()
    return named | {topics.outcomes_of(stage): _BOTH for stage in stages}


def require_rights(cluster: Cluster, pipeline: Pipeline, process: str) -> None:
    """Raise AccessError, one line per topic, for what the user may not do and ``process`` will.

    Topics that are not there yet are passed over. Asked only where the pipeline declares how to connect.
    """
    if not cluster.settings:
        return
    names = topics_needed(pipeline, process)
    admin = admin_of(cluster)
    asked = admin.describe_topics(
        TopicCollection([*names]), include_authorized_operations=True, request_timeout=TIMEOUT_S
    )
    refused: list[str] = []
    for name, future in asked.items():
        allowed = _allowed(name, future)
        refused += [
            str(not_allowed(f"topic {name!r}", operation))
            for operation in names[name]
            if allowed is not None and operation.upper() not in allowed
        ]
    if refused:
        raise AccessError("\n".join(refused))


def _allowed(topic: str, answer: Future[TopicDescription]) -> set[str] | None:
    """What the user may do with ``topic``; None where there is no such topic."""
    try:
        return {operation.name for operation in answer.result().authorized_operations or ()}
    except KafkaException as error:
        found = error.args[0]
        if found.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:  # not even Describe
            return set()
        if found.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise BrokerError(f"topic {topic!r} cannot be looked at: {found.str()}") from error
