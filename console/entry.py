"""What a process does before it starts its work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.local_run import find_bootstrap
from console.logs import configure_logs
from console.pipeline_file import find_config, open_pipeline
from streams.kafka import require_rights

if TYPE_CHECKING:
    from pathlib import Path

    from streams.kafka import Cluster


def prepare(
    config: Path | None, broker: str | None, state_dir: Path, process: str | None = None
) -> tuple[Path, Cluster]:
    """Set up logs and secrets; returns the pipeline file and the broker.

    Raises AccessError where the user may not do what ``process`` will.
    """
    configure_logs()
    found = find_config(config)
    pipeline = open_pipeline(found, state_dir)
    cluster = find_bootstrap(broker, state_dir, pipeline)
    if process is not None:
        require_rights(cluster, pipeline, process)
    return found, cluster
