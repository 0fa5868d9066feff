"""What ``backfill`` looks at before it begins, and what it says at the end."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from console.local_run import current_run, find_bootstrap
from feature_store.errors import BrokerError, ConfigError
from feature_store.units import to_text
from streams.kafka import end_offsets, reader

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.history.backfill import Backfilled


def refuse_what_comes_too_late(pipeline: Pipeline, broker: str | None, state_dir: Path) -> None:
    """Raise ConfigError where scorers run here, or have decided live events on a broker that answers.

    The keeper looks again when it takes the history in; this saves the work before.
    """
    run = current_run(state_dir)
    if run is not None:
        raise ConfigError(
            f"{state_dir}: process {run.pid} runs scorers, which would not see the state that this makes; "
            "stop it, backfill, and start it again"
        )
    try:
        bootstrap = find_bootstrap(broker, state_dir, pipeline)
        decided = _logged(bootstrap, pipeline.topics.features)
    except BrokerError:  # none is named, or up, or it has no such topic
        return
    if decided:
        raise ConfigError(
            f"{pipeline.topics.features!r} on {bootstrap} holds live events that were decided without this "
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


def _logged(bootstrap: str, topic: str) -> bool:
    consumer = reader(bootstrap)
    try:
        return any(end_offsets(consumer, topic).values())
    finally:
        consumer.close()
