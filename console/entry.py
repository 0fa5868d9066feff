"""What a process does before it starts its work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.local_run import find_bootstrap
from console.logs import configure_logs
from console.pipeline_file import find_config, open_pipeline
from feature_store.declaration.stages import seen_at
from streams.kafka import require_rights

if TYPE_CHECKING:
    from pathlib import Path

    from streams.kafka import Cluster


def prepare(
    config: Path | None,
    broker: str | None,
    state_dir: Path,
    process: str | None = None,
    stage: int | None = None,
) -> tuple[Path, Cluster]:
    """Set up logs and secrets; returns the pipeline file and the broker.

    ``stage`` is that of a scorer. Raises AccessError where the user may not do what ``process`` will;
    ConfigError where there is no such stage.
    """
    configure_logs()
    found = find_config(config)
    pipeline = open_pipeline(found, state_dir)
    cluster = find_bootstrap(broker, state_dir, pipeline)
    if process is not None:
        seen = seen_at(pipeline, stage) if process == "scorer" else pipeline.deciding
        require_rights(cluster, seen, process)
    return found, cluster
