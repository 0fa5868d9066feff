"""Hold the handbook's features to the book's own definitions, row by row: `python scripts/handbook.py FILE`.

FILE is the book's transactions as Parquet (the columns that config/handbook.yaml names). Both engines compute
the features as `sluicegate features compute` does; the definitions are worked out here with plain numpy. Two
transactions of one customer in the same second are left out: the book does not say which comes first.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CONFIG = Path(__file__).resolve().parents[1] / "config" / "handbook.yaml"
DAY = 86_400_000_000
LENGTHS = {"24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
SUNDAY_BEFORE_1970 = 3  # 1970-01-01 was a Thursday: three days after a Monday
Column = np.ndarray[tuple[int], np.dtype[Any]]


def definitions(file: Path) -> tuple[Column, dict[str, Column], Column]:
    """Ids in order of time, every feature by the book's definition, and which rows share a second."""
    table = pq.read_table(file).sort_by([("TX_DATETIME", "ascending"), ("TRANSACTION_ID", "ascending")])
    at = table["TX_DATETIME"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    customer, terminal = (table[name].to_numpy().astype(np.int64) for name in ("CUSTOMER_ID", "TERMINAL_ID"))
    cents = np.round(table["TX_AMOUNT"].to_numpy() * 100).astype(np.int64)
    fraud = table["TX_FRAUD"].to_numpy().astype(np.int64)
    weekday = (at // DAY + SUNDAY_BEFORE_1970) % 7
    found = {
        "amount": cents / 100,
        "during_weekend": (weekday >= 5).astype(float),  # noqa: PLR2004
        "during_night": (at % DAY // 3_600_000_000 <= 6).astype(float),  # noqa: PLR2004
    }
    for name, length in LENGTHS.items():
        count, total = _window(customer, at, cents, length, 0)
        found[f"customer_id_count_{name}_incl"] = count
        found[f"customer_id_mean_tx_amount_{name}_incl"] = total / (count * 100)
    for name, length in LENGTHS.items():
        count, frauds = _window(terminal, at, fraud, length, 7 * DAY)
        found[f"terminal_id_count_{name}_delay_7d"] = count
        share = np.divide(frauds, count, out=np.zeros(len(count)), where=count > 0)
        found[f"terminal_id_fraud_rate_{name}_delay_7d"] = share
    together = np.zeros(len(at), np.bool_)
    order = np.lexsort((at, customer))
    same = (np.diff(customer[order]) == 0) & (np.diff(at[order]) == 0)
    together[order[1:][same]] = together[order[:-1][same]] = True
    return table["TRANSACTION_ID"].to_numpy(), found, together


def _window(entity: Column, at: Column, value: Column, length: int, delay: int) -> tuple[Column, Column]:
    """How many rows of the same entity are in ``(t - delay - length, t - delay]``, and their sum."""
    order = np.lexsort((at, entity))
    span = at.max() - at.min() + length + delay + 1
    place = entity * span + (at - at.min())
    sums = np.concatenate([[0], np.cumsum(value[order])])
    first = entity * span  # no window reaches into the entity before
    low = np.searchsorted(place[order], np.maximum(place - delay - length, first - 1), "right")
    high = np.searchsorted(place[order], np.maximum(place - delay, first - 1), "right")
    return (high - low).astype(float), (sums[high] - sums[low]).astype(float)


def main(file: Path) -> int:
    """Print a line per feature and engine; 1 where a row differs."""
    ids, wanted, together = definitions(file)
    print(f"{len(ids):,} rows, {together.sum():,} of them in a second with another of their customer")
    different = 0
    with tempfile.TemporaryDirectory() as folder:
        for engine in ("online", "offline"):
            out = Path(folder) / f"{engine}.parquet"
            command = [sys.executable, "-m", "console.cli", "features", "compute", str(file)]
            command += ["--config", str(CONFIG), "--engine", engine, "--out", str(out)]
            started = time.monotonic()
            subprocess.run(command, check=True)
            print(f"{engine}: {time.monotonic() - started:.0f} s")
            table = pq.read_table(out)
            numbers = table["transaction_id"].cast(pa.int64()).to_numpy()
            by_id = np.argsort(numbers)[np.argsort(np.argsort(ids))]
            for name, values in wanted.items():
                found = table[name].to_numpy().astype(float)[by_id]
                wrong = ~together & ~np.isclose(found, values, rtol=1e-12, atol=0)
                different += int(wrong.sum())
                print(f"  {name:<45} {int((~together).sum()):>10,} rows, {int(wrong.sum())} different")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
