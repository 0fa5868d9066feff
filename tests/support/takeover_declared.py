"""Pipelines to take over, and what there is to be seen of their snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.models.watcher import Acting
from tests.support.payments import private_pipeline, shipped_tree
from tests.support.takeover import EPOCH, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from structlog.typing import EventDict

    from feature_store.declaration.pipeline import Pipeline

    WorldOf = Callable[[Pipeline], World]

ACTING = Acting(EPOCH, None)
FRAUDS = {"entity": "customer_id", "windows": ["7d"], "frauds": True, "fraud_rate": True, "delay": "1h"}
TERMINALS = {"entity": "terminal_id", "windows": ["24h"], "count": True, "mean": "amount", "fraud_rate": True}
SPREAD = {"entity": "customer_id", "windows": ["7d"], "std": "amount", "distinct": "terminal_id"}
NEW = {"entity": ["customer_id", "merchant_category"], "windows": ["24h"], "count": True, "max": "amount"}


def declared(folder: Path, *windows: dict[str, Any], **changes: Any) -> Pipeline:
    features = shipped_tree()["features"]
    features["windows"] += windows
    return private_pipeline(folder, "unit", features=features, **changes)[1]


def rejections(said: list[EventDict]) -> list[str]:
    return [line["why"] for line in said if line["event"] == "snapshot_rejected"]


def objects(world: World) -> list[str]:
    return world.folder.list(world.pipeline.name)
