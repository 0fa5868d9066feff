"""What the two pipelines declare, said again in plain Python: one stage, and two."""

from __future__ import annotations

from typing import NamedTuple


class Counted(NamedTuple):
    """Windows of an entity; ``fields`` are those beside the key of the stage."""

    prefix: str
    fields: tuple[str, ...]
    windows: tuple[str, ...]
    aggregates: tuple[str, ...]


class Counting(NamedTuple):
    """A stage: by which field, what, and whether known frauds, of a week, are counted."""

    key: str
    counted: tuple[Counted, ...]
    frauds: bool


class Declared(NamedTuple):
    """``stored``: columns of the keeper's store that are compared with the log."""

    stages: tuple[Counting, ...]
    stored: tuple[str, ...]


_OF_CUSTOMERS = (
    Counted("customer_id", (), ("1h", "24h", "7d"), ("count", "sum_amount", "mean_amount")),
    Counted("customer_id_card_id", ("card_id",), ("1h", "24h"), ("count", "sum_amount")),
    Counted("customer_id_terminal_id", ("terminal_id",), ("7d",), ("count",)),
    Counted("customer_id_country", ("country",), ("24h", "7d"), ("count",)),
    Counted("customer_id_device_id", ("device_id",), ("7d",), ("count",)),
)
_OF_TERMINALS = (
    Counted("terminal_id", (), ("24h", "7d"), ("count", "sum_amount")),
    Counted("terminal_id_country", ("country",), ("1h",), ("count",)),
)
_STORED = ("event_id", "seq", "score", "action", "customer_id_sum_amount_24h")

PLAIN = Declared((Counting("customer_id", _OF_CUSTOMERS, frauds=True),), (*_STORED, "customer_id_frauds_7d"))
STAGED = Declared(
    (
        Counting("customer_id", _OF_CUSTOMERS, frauds=False),
        Counting("terminal_id", _OF_TERMINALS, frauds=True),
    ),
    (*_STORED, "seq_0", "terminal_id_sum_amount_7d", "terminal_id_frauds_7d"),
)
