"""A pipeline whose features count outcomes, and outcome deltas for it as the keeper writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.units import to_text
from streams.messages import OutcomeDelta
from tests.support.payments import MONDAY, SECOND, private_pipeline, shipped_tree

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

FRAUDS = "customer_id_frauds_7d"
FRAUD_RATE = "customer_id_fraud_rate_7d"


def counting_frauds(folder: Path, prefix: str = "unit", **changes: Any) -> tuple[Path, Pipeline]:
    """The payments pipeline with the known frauds of a customer among its features."""
    features = shipped_tree()["features"]
    features["windows"].append(
        {"entity": "customer_id", "windows": ["7d"], "frauds": True, "fraud_rate": True}
    )
    return private_pipeline(folder, prefix, **({"features": features} | changes))


def delta(route_seq: int, number: int, **changes: Any) -> bytes:
    """It became known that event ``number`` of tests.support.payments was fraud."""
    known = OutcomeDelta(
        route_seq=route_seq,
        event_id=f"e{number}",
        event_time=to_text(MONDAY + number * SECOND),
        fraud=1,
        let_through=True,
        entity={"customer_id": f"c{number % 50}"},
    )
    return msgspec.json.encode(msgspec.structs.asdict(known) | changes)
