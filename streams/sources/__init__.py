"""Where events come from: a simulation, or a file of past events; both end in Kafka, with their outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import ConfigError
from streams.kafka import ensure_topics, pipeline_topics
from streams.sources.publish import publish
from streams.sources.replay import Stretch, replay
from streams.sources.simulate import Scenario, check_fields, simulate, write_parquet
from streams.sources.timeline import Emission, Pace, Published, limited

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

__all__ = [
    "Emission",
    "Pace",
    "Published",
    "Scenario",
    "publish",
    "replay",
    "run_replay",
    "run_simulate",
    "simulate",
    "write_parquet",
]


def run_simulate(
    pipeline: Pipeline,
    bootstrap: str,
    scenario: Scenario,
    *,
    rate: float | None = None,
    speed: float | None = None,
    limit: int | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[Published], None] | None = None,
) -> Published:
    """Send a simulated payment stream and its outcomes to the pipeline's topics, creating what is missing.

    ``rate`` is events per second, ``speed`` stream seconds per real second, neither is as fast as possible;
    ``limit`` ends the run after so many records of the events topic. Raises ConfigError where the pipeline
    needs fields that are not simulated, BrokerError where Kafka does not take the records.
    """
    pace = Pace(rate, speed)
    check_fields(pipeline)
    return _send(pipeline, bootstrap, simulate(scenario), pace, limit, stop, on_progress)


def run_replay(
    pipeline: Pipeline,
    bootstrap: str,
    file: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    rate: float | None = None,
    speed: float | None = None,
    limit: int | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[Published], None] | None = None,
) -> Published:
    """Send a Parquet or CSV file of past events, ``since <= event time < until``, by its declared mapping.

    Pacing, ``limit`` and errors as in ``run_simulate``. Raises ConfigError where the file does not fit the
    pipeline's ``event.file``.
    """
    pace = Pace(rate, speed)
    emissions = replay(pipeline, file, Stretch(since, until))
    return _send(pipeline, bootstrap, emissions, pace, limit, stop, on_progress)


def _send(
    pipeline: Pipeline,
    bootstrap: str,
    emissions: Iterator[Emission],
    pace: Pace,
    limit: int | None,
    stop: threading.Event | None,
    on_progress: Callable[[Published], None] | None,
) -> Published:
    if pipeline.event.format != "json":
        raise ConfigError(
            f"event.format is {pipeline.event.format}, and what is simulated or replayed is sent as JSON, "
            "which the scorers would refuse; use a pipeline file with event.format json for it"
        )
    ensure_topics(bootstrap, pipeline_topics(pipeline))
    return publish(
        limited(emissions, limit),
        bootstrap,
        {"events": pipeline.topics.events, "outcomes": pipeline.topics.outcomes},
        pace=pace,
        stop=stop,
        on_progress=on_progress,
    )
