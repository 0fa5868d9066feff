"""What a windowed feature is: its definition, the name made from it, and the definition in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from feature_store.units import format_duration


class Aggregate(StrEnum):
    """What a window computes."""

    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    STD = "std"
    """Sample standard deviation; null below two values."""
    DISTINCT = "distinct"
    LAST = "last"
    """The k-th newest value."""
    SINCE_LAST = "since_last"
    """Seconds since the newest event."""
    RATE = "rate"
    """Share of the events for which a condition holds."""
    FRAUDS = "frauds"
    """How many events are known to be fraud."""
    FRAUD_RATE = "fraud_rate"
    """Share of known fraud among the events that were let through."""

    @property
    def of_outcomes(self) -> bool:
        """Whether it counts what became known about events, not the events themselves."""
        return self in {Aggregate.FRAUDS, Aggregate.FRAUD_RATE}

    @property
    def never_null(self) -> bool:
        """Whether it is a number even where the window holds nothing."""
        return self in {Aggregate.COUNT, Aggregate.SUM, Aggregate.DISTINCT, Aggregate.FRAUDS}

    @property
    def of_numbers(self) -> bool:
        """Whether its column must hold numbers."""
        return self in {
            Aggregate.SUM, Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.STD, Aggregate.LAST,
        }  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """A named SQL condition over one event's own fields; null is false."""

    name: str
    sql: str


@dataclass(frozen=True)
class WindowFeature:
    """One windowed feature: ``aggregate(column)`` over ``(t - delay - window, t - delay]``, in us.

    With a ``condition`` only events for which it holds are aggregated (``RATE``: their share among all).
    ``position`` is the k of ``LAST``, 1 for the newest. With ``over`` the feature is a ratio: the aggregate
    over ``window`` by the same over the window ``over``. ``empty`` replaces null where the entity is known.
    """

    entity: tuple[str, ...]
    aggregate: Aggregate
    column: str | None
    window: int
    delay: int = 0
    include_current: bool = False
    condition: Condition | None = None
    position: int = 0
    over: int = 0
    empty: float | None = None

    @property
    def name(self) -> str:
        """The feature's name, made from the definition: ``customer_id_mean_amount_7d``."""
        parts = [*self.entity, self.aggregate.value]
        if self.column is not None:
            parts.append(self.column)
        if self.condition is not None:
            parts.append(self.condition.name)
        if self.position:
            parts.append(str(self.position))
        parts.append(format_duration(self.window))
        if self.over:
            parts.append(f"over_{format_duration(self.over)}")
        if self.delay:
            parts.append(f"delay_{format_duration(self.delay)}")
        if self.include_current:
            parts.append("incl")
        return "_".join(parts)

    @property
    def group(self) -> str:
        """The name of the features that share one state: those of one entity."""
        return "+".join(self.entity)

    @property
    def reach(self) -> int:
        """How far back from an event's time (us) this feature looks."""
        return self.delay + max(self.window, self.over)

    def definition(self, time: str, types: dict[str, str], used: dict[str, str]) -> dict[str, Any]:
        """Everything that its value depends on, as plain data: what the hash is made of.

        ``time`` is the event's time field, ``types`` are those of all fields, ``used`` those of the fields
        that the condition mentions.
        """
        plain: dict[str, Any] = {
            "time": time,
            "entity": [[name, types.get(name, "")] for name in self.entity],
            "aggregate": self.aggregate.value,
            "column": self.column,
            "type": types.get(self.column or "", ""),
            "window": self.window,
            "delay": self.delay,
            "include_current": self.include_current,
        }
        if self.condition is not None:
            plain["where"] = {"sql": self.condition.sql, "fields": used}
        if self.empty is not None:
            plain["empty"] = self.empty
        further = {"position": self.position, "over": self.over}
        return plain | {name: value for name, value in further.items() if value}
