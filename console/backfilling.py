"""What ``backfill`` looks at before it begins, and what it says at the end."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from console.local_run import NoBrokerError, current_run, find_bootstrap
from feature_store.errors import BrokerError, ConfigError, ContractError
from feature_store.log import decode_log
from feature_store.units import to_text
from streams.kafka import (
    KafkaException,
    end_offsets,
    group_members,
    present_topics,
    read_range,
    reader,
    start_offsets,
)

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.history.backfill import Backfilled

_SLACK_S = 2.0
"""How much later than a session's end a group may forget a member that has stopped."""


def refuse_what_comes_too_late(pipeline: Pipeline, broker: str | None, state_dir: Path) -> None:
    """Raise ConfigError where scorers run, here or on the named broker, or have decided live events there.

    Raises BrokerError where a broker is named and does not answer. The keeper looks again when it takes the
    history in; this saves the work before.
    """
    run = current_run(state_dir)
    if run is not None:
        raise ConfigError(
            f"{state_dir}: process {run.pid} runs scorers, which would not see the state that this makes; "
            "stop it, backfill, and start it again"
        )
    try:
        bootstrap = find_bootstrap(broker, state_dir, pipeline)
    except NoBrokerError:
        return
    try:
        present = present_topics(bootstrap)
        views = pipeline.views
        logs = [view.topics.features for view in views if view.topics.features in present]
        decided = next((topic for topic in logs if _logged(bootstrap, topic)), None)
        for view in views:
            _refuse_scorers(bootstrap, view)
    except BrokerError as error:
        raise BrokerError(
            f"whether live events were decided already cannot be seen: {error}; start that Kafka, or name "
            "the right one: --broker host:port"
        ) from error
    if decided:
        raise ConfigError(
            f"{decided!r} on {bootstrap} holds live events that were decided without this "
            "history; only new features can be added now (--only-new), or begin with other topics and "
            "another state folder"
        )


def as_dict(done: Backfilled) -> dict[str, Any]:
    """For programs."""
    return asdict(done)


def words(done: Backfilled) -> str:
    """The summary, for a person."""
    span = f"{to_text(done.first_event_time)[:19]}Z to {to_text(done.last_event_time)[:19]}Z"
    if done.features is not None:
        return f"{', '.join(done.features)}: filled in for {done.rows:,} stored events, from {span}"
    lines = [f"{done.rows:,} events are history now, from {span}"]
    if done.frauds:
        counted = f"; features count {done.known:,} of these already" if done.known else ""
        lines.append(
            f"{done.frauds:,} of them are known to be fraud, or will be after the declared delay{counted}"
        )
    lines.append(f"scorers begin with their state, which is kept in {done.snapshots}")
    return "\n".join(lines)


def _refuse_scorers(bootstrap: str, pipeline: Pipeline) -> None:
    group = pipeline.scorer_group
    lingering_s = pipeline.serving.session_timeout / 1e6 + _SLACK_S
    members = group_members(bootstrap, group, lingering_s=lingering_s)
    if members:
        raise ConfigError(
            f"scorers run on {bootstrap} ({members} in the consumer group {group!r}), which would not see "
            "the state that this makes; stop them, backfill, and start them again"
        )


def _logged(bootstrap: str, topic: str) -> bool:
    consumer = reader(bootstrap)
    try:
        ends = end_offsets(consumer, topic)
        if not any(ends.values()):
            return False
        starts = start_offsets(consumer, topic)
    except KafkaException as error:
        raise BrokerError(f"{topic!r} on {bootstrap} cannot be read: {error}") from error
    finally:
        consumer.close()
    if any(starts.values()):
        return True  # what it held is gone by now
    found = read_range(bootstrap, topic, {p: (0, end) for p, end in ends.items()})
    return any(not _only_claims(message.value()) for message in found)


def _only_claims(record: bytes | None) -> bool:
    try:
        return decode_log(record or b"")[1].makes_claim
    except ContractError:
        return False  # whatever it is, somebody wrote there
