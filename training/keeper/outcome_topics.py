"""The topics that deltas go to, and how far each of them is.

What decides hears of all, on the partition of the event. A stage before it that counts outcomes hears of
those that have its key, on the partition of that. A topic that is new gets all that the outbox has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from training.keeper.queries import sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection


class OutcomeTopic(NamedTuple):
    """A topic of deltas; ``key`` is the field that it is keyed by, None where deltas go with their event."""

    name: str
    key: str | None


def outcome_topics(pipeline: Pipeline) -> list[OutcomeTopic]:
    """Where deltas go, first the topic that has all of them; none where no feature counts outcomes."""
    if not pipeline.outcome_fields:
        return []
    topics = pipeline.topics
    stages = [OutcomeTopic(topics.outcomes_of(stage), stage.key) for stage in pipeline.counting_stages]
    return [OutcomeTopic(topics.entity_outcomes, None), *stages]


def keep_stages(store: Connection, topics: list[OutcomeTopic]) -> None:
    """Know of the stages' topics among these and of no others; in the caller's transaction."""
    names = [topic.name for topic in topics if topic.key is not None]
    store.execute(sql("forget_other_stages"), {"topics": names})
    store.execute(sql("add_stages"), {"topics": names})


def reached(store: Connection, topics: list[OutcomeTopic]) -> dict[str, int]:
    """Topic -> the last ``route_seq`` that Kafka has there."""
    stages = dict(store.execute(sql("sent_to_stages")).fetchall()) if topics[1:] else {}
    (sent,) = store.execute(sql("sent")).fetchall()[0]
    return {topic.name: sent if topic.key is None else stages[topic.name] for topic in topics}


def set_reached(store: Connection, topics: list[OutcomeTopic], sent: Mapping[str, int]) -> None:
    """Each of the topics has come as far as ``sent`` says, at least; in the caller's transaction."""
    for topic in topics:
        if topic.key is None:
            store.execute(sql("set_sent"), {"sent": sent[topic.name]})
        else:
            store.execute(sql("set_sent_to_stage"), {"topic": topic.name, "sent": sent[topic.name]})
