"""The parts of a keeper that has just started; no thread of it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.clock import clock_named
from feature_store.units import to_text
from training.keeper.alerts import Alerts
from training.keeper.ends import Ends
from training.keeper.parts import KeeperSettings, Parts
from training.keeper.progress import Progress
from training.keeper.store import STORE, open_keeper_store
from training.publish import Publisher

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


def open_parts(config: Path, pipeline: Pipeline, bootstrap: str, state_dir: Path) -> Parts:
    """The parts, on the store in ``state_dir``."""
    clock = clock_named(pipeline.clock)
    store = open_keeper_store(state_dir / STORE, pipeline)
    parts = Parts(
        settings=KeeperSettings(config, bootstrap, state_dir),
        pipeline=pipeline,
        clock=clock,
        store=store,
        progress=Progress(),
        publisher=Publisher(bootstrap, pipeline, lambda: to_text(clock.now())),
        alert=Alerts(store, bootstrap, pipeline, clock),
        ends=Ends(bootstrap, pipeline),
    )
    parts.publisher.on_release = parts.registry.follow
    return parts


def close_parts(parts: Parts) -> None:
    """Leave Kafka and the store."""
    parts.alert.close()
    parts.ends.close()
    parts.store.close()
