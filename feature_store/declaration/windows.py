"""One entry of ``features.windows``: aggregates of one entity, and the features that it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from feature_store.declaration.aggregates import Aggregate, Condition, WindowFeature
from feature_store.declaration.base import Declared, Identifier, Sql
from feature_store.units import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    tuple[Identifier, ...],
    BeforeValidator(_one_or_more, json_schema_input_type=str | tuple[Identifier, ...]),
]
_MOST_LAST = 100
_PLAIN = ("sum", "mean", "min", "max", "std", "distinct")
_RATIOS = {Aggregate.COUNT, Aggregate.SUM, Aggregate.MEAN}


class WindowSpec(Declared):
    """Aggregates of one entity over sliding windows."""

    entity: Names = Field(description="the field, or fields, that are counted for")
    windows: tuple[Duration, ...] = Field(default=(), description="lengths, each a feature per aggregate")
    count: bool = Field(default=False, description="how many events")
    sum: Names = Field(default=(), description="the number fields to add up; 0 where there is no event")
    mean: Names = Field(default=(), description="the number fields to average; null where there is none")
    min: Names = Field(default=(), description="the number fields to take the least of")
    max: Names = Field(default=(), description="the number fields to take the greatest of")
    std: Names = Field(
        default=(), description="the number fields to take the sample standard deviation of; null below two"
    )
    distinct: Names = Field(default=(), description="the fields, of any type, to count different values of")
    last: dict[Identifier, Annotated[int, Field(gt=0, le=_MOST_LAST)]] = Field(
        default_factory=dict, description="number field -> how many of its newest values, each a feature"
    )
    since_last: bool = Field(default=False, description="seconds since the entity's newest event")
    horizon: Duration = Field(
        default=0, description="how far back last and since_last look; the longest window where not given"
    )
    where: dict[Identifier, Sql] = Field(
        default_factory=dict,
        description="name -> SQL condition over the event; every aggregate is made for each of them, of the "
        "events for which it holds",
    )
    rate: bool = Field(default=False, description="share of the events for which `where` holds")
    ratio: tuple[tuple[Duration, Duration], ...] = Field(
        default=(),
        description="pairs of windows: count, sum and mean over the first by those over the second",
    )
    frauds: bool = Field(default=False, description="how many events are known to be fraud")
    fraud_rate: bool = Field(
        default=False, description="share of known fraud among the events that were let through"
    )
    delay: Duration = Field(default=0, description="the window ends this long before the event")
    include_current: bool = Field(default=False, description="whether the event itself counts")
    empty: float | None = Field(
        default=None, allow_inf_nan=False, description="instead of null where a window holds nothing"
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not self._aggregates():
            raise ValueError("declares no aggregate; add count: true, sum: [field] or mean: [field]")
        if 0 in self.windows or any(0 in pair for pair in self.ratio):
            raise ValueError("windows: a window must be longer than zero")
        if not self._horizon:
            raise ValueError("windows: missing; name at least one length, for example [1h, 24h]")
        if not self.windows and any(each not in _LATEST for each, _ in self._aggregates()):
            raise ValueError("windows: missing; only last and since_last do with a horizon alone")
        if self.delay and self.include_current:
            raise ValueError("a delayed window cannot include the current event")
        if self.include_current and (self.last or self.since_last or self.frauds or self.fraud_rate):
            raise ValueError("last, since_last, frauds and fraud_rate cannot include the current event")
        if self.rate and not self.where:
            raise ValueError("rate: needs a condition, for example where: {online: channel = 'online'}")
        if self.where and (self.frauds or self.fraud_rate):
            raise ValueError("frauds and fraud_rate take no condition; declare them in an entry of their own")
        if self.ratio and not any(each in _RATIOS for each, _ in self._aggregates()):
            raise ValueError("ratio: needs count, sum or mean beside it")
        return self

    @model_validator(mode="after")
    def _every_key_counts(self) -> Self:
        if not self.entity or len(set(self.entity)) < len(self.entity):
            raise ValueError("entity: name at least one field, and each once")
        if self.horizon and not (self.last or self.since_last):
            raise ValueError("horizon: only last and since_last have one; add one of them, or remove it")
        return self

    def features(self) -> Iterator[WindowFeature]:
        """Every feature this declares, condition by condition and window by window."""
        conditions: list[Condition | None] = [Condition(name, sql) for name, sql in self.where.items()]
        for condition in conditions or [None]:
            yield from self._of(condition)

    def _of(self, condition: Condition | None) -> Iterator[WindowFeature]:
        plain = [each for each in self._aggregates() if each[0] not in _LATEST]
        for window in self.windows:
            for aggregate, column in plain:
                yield self._feature(aggregate, column, window, condition)
        for window, over in self.ratio:
            for aggregate, column in plain:
                if aggregate in _RATIOS:
                    yield self._feature(aggregate, column, window, condition, over=over)
        for field, count in self.last.items():
            for k in range(1, count + 1):
                yield self._feature(Aggregate.LAST, field, self._horizon, condition, position=k)
        if self.since_last:
            yield self._feature(Aggregate.SINCE_LAST, None, self._horizon, condition)

    def _feature(
        self,
        aggregate: Aggregate,
        column: str | None,
        window: int,
        condition: Condition | None,
        *,
        position: int = 0,
        over: int = 0,
    ) -> WindowFeature:
        empty = None if aggregate.never_null and not over else self.empty
        return WindowFeature(
            self.entity, aggregate, column, window, self.delay, self.include_current, condition, position,
            over, empty,
        )  # fmt: skip

    def _aggregates(self) -> list[tuple[Aggregate, str | None]]:
        found: list[tuple[Aggregate, str | None]] = []
        if self.count:
            found.append((Aggregate.COUNT, None))
        for name in _PLAIN:
            found += [(Aggregate(name), column) for column in getattr(self, name)]
        flags = ("rate", "since_last", "frauds", "fraud_rate")
        found += [(Aggregate(name), None) for name in flags if getattr(self, name)]
        return found + [(Aggregate.LAST, field) for field in self.last]

    @property
    def _horizon(self) -> int:
        lengths = [*self.windows, *(each for pair in self.ratio for each in pair)]
        return self.horizon or max(lengths, default=0)


_LATEST = {Aggregate.LAST, Aggregate.SINCE_LAST}
