"""The one job of every contender: payments of about 380 bytes, 40 features over two entities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from feature_store.declaration.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

CUSTOMERS, TERMINALS_EACH = 20_000, 3
STEP_MS = 8_640
"""Between two events: 600,000 of them are 60 days, so that every window fills and then lets go."""
FEATURES = 40
_START = datetime(2026, 1, 1, tzinfo=UTC)
_BLOCK = 10_000
_CATEGORIES = ("groceries", "electronics", "restaurants", "travel", "fuel_stations", "gift_cards")
_COUNTRIES = ("DE", "FR", "ES", "IT", "NL")


class Payment(NamedTuple):
    """One record of the events topic, and when it arrives (ms since 1970)."""

    key: bytes
    value: bytes
    at_ms: int


def declaration() -> dict[str, Any]:
    """The pipeline file, as a tree."""
    windows = {
        "windows": ["1m", "1h", "24h", "7d", "30d"],
        "count": True,
        "sum": "amount",
        "mean": "amount",
        "last": {"amount": 4},
        "since_last": True,
    }
    shown = {"type": "string", "passthrough": True}
    return {
        "pipeline": "benchmark",
        "clock": "wall",
        "event": {
            "id": "event_id",
            "time": "event_time",
            "key": "customer_id",
            "fields": {
                "event_id": "string",
                "event_time": "timestamp",
                "customer_id": shown,
                "card_id": "string",
                "terminal_id": shown,
                "merchant_id": "string",
                "merchant_category": shown,
                "channel": "string",
                "amount": {"type": "decimal(12,2)", "passthrough": True},
                "country": shown,
                "home_country": "string",
                "device_id": {"type": "string", "required": False},
                "ip_address": {"type": "string", "required": False, "personal": True},
            },
        },
        "features": {
            "windows": [
                {"entity": "customer_id", **windows},
                {"entity": ["customer_id", "terminal_id"], **windows},
            ]
        },
        "outcomes": {"sources": {"bank": "1d"}},
        "decision": {
            "costs": {"amount": "amount", "missed_fraud_share": 1.0, "review": 4.0, "false_decline": 15.0}
        },
    }


def pipeline() -> Pipeline:
    """The declared pipeline."""
    declared = Pipeline.model_validate(declaration())
    if len(declared.feature_vector) != FEATURES:
        raise ValueError(f"{len(declared.feature_vector)} features are declared, not {FEATURES}")
    return declared


def payments(count: int, seed: int = 1) -> Iterator[Payment]:
    """The first ``count`` payments, in order of time: the same ones for the same ``seed``."""
    random = np.random.default_rng(seed)
    for first in range(0, count, _BLOCK):
        # Skewed: some customers pay often, most now and then.
        customers = (CUSTOMERS * random.random(_BLOCK) ** 2).astype(np.int64).tolist()
        terminals = random.integers(0, TERMINALS_EACH, _BLOCK).tolist()
        cents = np.minimum(random.lognormal(8, 1.2, _BLOCK), 1e8).astype(np.int64).tolist()
        kinds = random.integers(0, len(_CATEGORIES) * len(_COUNTRIES), _BLOCK).tolist()
        for at in range(min(_BLOCK, count - first)):
            yield _payment(first + at, customers[at], terminals[at], cents[at], kinds[at], seed)


def _payment(number: int, customer: int, terminal: int, cents: int, kind: int, seed: int) -> Payment:
    at = _START + timedelta(milliseconds=number * STEP_MS)
    key = f"customer-{customer:08d}"
    value = (
        f'{{"event_id":"{seed:08x}-0000-4000-8000-{number:012x}",'
        f'"event_time":"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1_000:03d}Z","customer_id":"{key}",'
        f'"card_id":"card-{customer:08d}-0","terminal_id":"terminal-{customer % 997 + terminal:06d}",'
        f'"merchant_id":"merchant-{customer % 499:06d}",'
        f'"merchant_category":"{_CATEGORIES[kind % len(_CATEGORIES)]}","channel":"online",'
        f'"amount":{cents // 100}.{cents % 100:02d},"country":"{_COUNTRIES[kind // len(_CATEGORIES)]}",'
        f'"home_country":"DE","device_id":"device-{customer:012x}",'
        f'"ip_address":"10.{customer % 251}.{terminal}.{kind}"}}'
    )
    return Payment(key.encode(), value.encode(), int(at.timestamp() * 1_000))
