"""A small pipeline, and records as a client gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from feature_store.declaration.load import load_pipeline
from tests.support.payments import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.clock import Headers
    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message

SMALL = """
pipeline: small
clock: stream
topics: {partitions: 2}
event:
  id: event_id
  time: event_time
  key: card
  fields:
    event_id: string
    event_time: timestamp
    card: {type: string, passthrough: true}
    shop: {type: integer, required: false}
    amount: {type: "decimal(12,2)", passthrough: true}
    online: {type: boolean, required: false}
    weight: {type: float, required: false}
features:
  rows: {amount_eur: amount}
  windows:
    - {entity: card, windows: [1h, 24h], count: true, sum: [amount], distinct: [shop], since_last: true}
    - {entity: card, windows: [24h], fraud_rate: true}
    - {entity: card, windows: [1h], last: {amount: 2}, max: [amount], std: [weight]}
outcomes: {sources: {analyst: 24h, chargeback: 3d}}
decision:
  costs: {amount: amount, review: 4, false_decline: 15}
  rules: [{name: large, when: amount > 500, action: review}]
"""


def small_pipeline(folder: Path, text: str = SMALL) -> Pipeline:
    """The pipeline, by way of a file in ``folder``."""
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return load_pipeline(path, ENVIRONMENT)


@dataclass(frozen=True)
class Record:
    """Has what readers ask a client's message for."""

    content: bytes | None
    own_key: bytes | None = None
    own_headers: Headers = None
    time_ms: int = 1_767_571_200_000

    def value(self) -> bytes | None:
        return self.content

    def key(self) -> bytes | None:
        return self.own_key

    def headers(self) -> Headers:
        return self.own_headers

    def set_headers(self, headers: Headers) -> None:
        """Readers take a broken list away; this one is not broken."""

    def timestamp(self) -> tuple[int, int]:
        return 1, self.time_ms

    def topic(self) -> str:
        return "a-topic"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def error(self) -> None:
        return None


def message(*arguments: Any) -> Message:
    """A ``Record`` under the type that readers name."""
    return cast("Message", Record(*arguments))
