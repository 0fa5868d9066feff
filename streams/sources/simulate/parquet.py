"""The simulated events as a Parquet file: a history to backfill, replay or study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streams.sources.simulate.catalogue import COUNTRIES
from streams.sources.simulate.days import days
from streams.sources.simulate.verdicts import first_fraud_report
from streams.sources.simulate.wording import Wording
from streams.sources.simulate.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from streams.sources.simulate.days import Day
    from streams.sources.simulate.payments import Ints
    from streams.sources.simulate.scenario import Scenario

_INSTANT = pa.timestamp("us")
_MONEY = pa.decimal128(12, 2)
_COLUMNS: dict[str, pa.DataType] = {
    "event_id": pa.string(),
    "event_time": _INSTANT,
    "customer_id": pa.string(),
    "card_id": pa.string(),
    "terminal_id": pa.string(),
    "merchant_id": pa.string(),
    "merchant_category": pa.string(),
    "channel": pa.string(),
    "amount": _MONEY,
    "country": pa.string(),
    "home_country": pa.string(),
    "device_id": pa.string(),
    "ip_address": pa.string(),
    "fraud": pa.bool_(),
    "outcome_at": _INSTANT,
}
_SCHEMA = pa.schema(list(_COLUMNS.items()))


def write_parquet(scenario: Scenario, path: Path) -> int:
    """Write the events that ``simulate`` sends, each once, in order of event time; return how many.

    ``fraud`` is the truth, known to nobody at the time; ``outcome_at`` is when somebody first reported fraud
    (null: nobody). Instants are UTC. Broken messages are left out.
    """
    world = World(scenario)
    wording = Wording(scenario, world)
    written = 0
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as file:
        for day in days(scenario, world):
            file.write_table(_table(wording, world, day))
            written += len(day.payments)
    return written


def _table(wording: Wording, world: World, day: Day) -> pa.Table:
    paid = day.payments
    names = wording.customers
    reported = first_fraud_report(len(paid), day.told)
    columns: list[pa.Array[Any]] = [
        pa.array([wording.event_id(day.number, row) for row in range(len(paid))], pa.string()),
        pa.array(paid.at, _INSTANT),
        _chosen(names, paid.customer),
        pa.array(
            [
                f"{names[c]}-{card}"
                for c, card in zip(paid.customer.tolist(), paid.card.tolist(), strict=True)
            ],
            pa.string(),
        ),
        _chosen(wording.terminals, paid.terminal),
        _chosen(wording.merchants, paid.terminal),
        _chosen(wording.categories, paid.terminal),
        _chosen(wording.channels, paid.terminal),
        _money(paid.cents),
        _chosen(list(COUNTRIES), paid.country),
        _chosen(list(COUNTRIES), world.home[paid.customer]),
        pa.array(wording.devices(paid), pa.string()),
        pa.array(wording.addresses(paid), pa.string()),
        pa.array(paid.fraud),
        pa.array(reported, _INSTANT, mask=reported < 0),
    ]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def _chosen(texts: list[str], numbers: Ints) -> pa.Array[Any]:
    return pa.array(texts, pa.string()).take(numbers)


def _money(cents: Ints) -> pa.Array[Any]:
    """Exact decimals: 128-bit little-endian minor units, the upper half being the sign."""
    halves = np.stack([cents, cents >> 63], axis=1).astype("<i8")
    return pa.Array.from_buffers(_MONEY, len(cents), [None, pa.py_buffer(halves.tobytes())])
