"""The shipped payments pipeline under names of its own, and events for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from feature_store.declaration.load import load_pipeline
from feature_store.units import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.declaration.pipeline import Pipeline

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "payments.yaml"
ENVIRONMENT = {
    "SLUICEGATE_CONTROL_KEY": "a key for tests",
    "KAFKA_USER": "nobody",
    "KAFKA_PASSWORD": "hush",
}
MONDAY = 1_767_571_200_000_000  # 2026-01-05T00:00:00Z
SECOND = 1_000_000


def shipped_tree() -> dict[str, Any]:
    """The shipped pipeline file as a tree that a test may change."""
    tree: dict[str, Any] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return tree


def pipeline_of(
    tree: dict[str, Any], folder: Path, environment: Mapping[str, str] = ENVIRONMENT
) -> tuple[Path, Pipeline]:
    """The tree as a file in ``folder``, and loaded."""
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return path, load_pipeline(path, environment)


def private_pipeline(folder: Path, prefix: str, **changes: Any) -> tuple[Path, Pipeline]:
    """The payments pipeline under topics of its own; ``changes`` replace keys at the top."""
    tree = shipped_tree()
    names = ["events", "decisions", "outcomes", "entity_outcomes", "features", "models", "alerts", "policy"]
    names += ["explanations", "stages"]
    topics: dict[str, Any] = {name: f"{prefix}-{name}" for name in names}
    tree |= {"pipeline": prefix, "topics": {**topics, "dead_letters": f"{prefix}-dead-letters"}}
    tree |= changes
    return pipeline_of(tree, folder)


def event(number: int, **changes: Any) -> dict[str, Any]:
    """A sound payment; number ``n`` happens n seconds after Monday 00:00."""
    return {
        "event_id": f"e{number}",
        "event_time": to_text(MONDAY + number * SECOND),
        "customer_id": f"c{number % 50}",
        "card_id": f"k{number % 3}",
        "terminal_id": f"t{number % 40}",
        "merchant_id": "m1",
        "merchant_category": "groceries",
        "channel": "chip",
        "amount": 10 + number % 90 + 0.25,
        "country": "DE",
        "home_country": "DE",
    } | changes


def encoded(number: int, **changes: Any) -> tuple[bytes, bytes]:
    """Key and value of ``event`` as they stand on Kafka."""
    values = event(number, **changes)
    return str(values["customer_id"]).encode(), msgspec.json.encode(values)
