"""What was measured, as it stands in JSON: an undefined figure is null, never a number that looks real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Figure(msgspec.Struct, frozen=True):
    """A measured value and its 95 % interval, entities resampled; None where it is undefined."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Money(msgspec.Struct, frozen=True):
    """What the actions of least expected cost would have cost by the truth, in the amount's currency unit.

    ``missed`` by approving frauds, ``reviews`` and ``false_declines`` by stopping; ``lost`` is their sum,
    ``approving_all`` what it would have been without any gate, ``saved`` the difference.
    """

    missed: Figure
    reviews: Figure
    false_declines: Figure
    lost: Figure
    approving_all: Figure
    saved: Figure


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One set of events, measured.

    ``events`` and ``frauds`` are rows; ``weight`` is what they stand for, ``effective_events`` how many
    events of equal weight would say as much. ``precision``, ``recall``, ``f1``, ``accuracy``, ``stopped``
    (a share) and ``money`` are of the actions with the least expected cost; everything is by weight.
    """

    events: int
    frauds: int
    weight: float
    effective_events: float
    prevalence: Figure
    roc_auc: Figure
    average_precision: Figure
    precision: Figure
    recall: Figure
    f1: Figure
    accuracy: Figure
    stopped: Figure
    money: Money
    brier: Figure


class RecallAt(msgspec.Struct, frozen=True):
    """The share of fraud found while ``false_positive_rate`` of what is legitimate is flagged."""

    false_positive_rate: float
    recall: Figure


class AtCapacity(msgspec.Struct, frozen=True):
    """The share of fraud among the ``per_day`` most suspicious events of each day."""

    per_day: int
    precision: Figure


class CardPrecision(msgspec.Struct, frozen=True):
    """The share of defrauded entities among the ``k`` most suspicious of each day; unweighted."""

    k: int
    precision: Figure


class ReliabilityBin(msgspec.Struct, frozen=True):
    """Events of neighbouring scores: what the score said, and how many were fraud."""

    weight: float
    score: float
    fraud: Figure


class Segment(msgspec.Struct, frozen=True):
    """One label of one column that events were told apart by."""

    segment: str
    label: str
    figures: Figures


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one set of events. ``calibration_error`` is the mean distance of the bins, by weight."""

    overall: Figures
    recall_at: list[RecallAt]
    at_capacity: AtCapacity | None
    card_precision: CardPrecision
    calibration_error: Figure
    reliability: list[ReliabilityBin]
    segments: list[Segment]

    def flat(self) -> dict[str, float]:
        """Name -> value, and ``<name>_low`` and ``<name>_high``; what is undefined is left out."""
        return {
            name: value
            for prefix, figure in self._named()
            for name, value in (
                (prefix, figure.value),
                (f"{prefix}_low", figure.low),
                (f"{prefix}_high", figure.high),
            )
            if value is not None
        }

    def _named(self) -> Iterator[tuple[str, Figure]]:
        for part in (self.overall, self.overall.money):
            money = "money_" if part is self.overall.money else ""
            for name in part.__struct_fields__:
                if isinstance(figure := getattr(part, name), Figure):
                    yield money + name, figure
        for each in self.recall_at:
            yield f"recall_at_{each.false_positive_rate:g}", each.recall
        if self.at_capacity is not None:
            yield "precision_at_capacity", self.at_capacity.precision
        yield f"card_precision_{self.card_precision.k}", self.card_precision.precision
        yield "calibration_error", self.calibration_error
