"""The decision: what a mistake costs, the rules, and what happens without a model."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from feature_store.declaration.base import Declared, Identifier, Sql
from feature_store.units import Duration


class Action(StrEnum):
    """What is done with an event, from mildest to strongest."""

    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"

    @property
    def stops(self) -> bool:
        """Whether the event does not go through at once."""
        return self is not Action.APPROVE


class Rule(Declared):
    """A named condition and the least strong action that it allows."""

    name: Identifier = Field(description="stands in the decision when the rule matched")
    when: Sql = Field(description="SQL over the event's fields and the features; null is false")
    action: Action = Field(description="the least strong action; the strongest rule that matched counts")


class Costs(Declared):
    """Money lost by each mistake; the action with the least expected cost is taken."""

    amount: Identifier | None = Field(
        default=None, description="the field that a missed fraud costs a share of"
    )
    missed_fraud_share: float = Field(default=1.0, ge=0, description="of the amount, lost by a missed fraud")
    missed_fraud: float = Field(default=0.0, ge=0, description="fixed cost of a missed fraud")
    review: float = Field(gt=0, description="cost of one review, in the amount's unit")
    false_decline: float = Field(gt=0, description="cost of declining a legitimate event")

    @model_validator(mode="after")
    def _something_at_stake(self) -> Self:
        if self.amount is None and self.missed_fraud == 0:
            raise ValueError("name the amount field, or a fixed cost: missed_fraud: 100")
        return self


class Duplicates(Declared):
    """How long an id is remembered."""

    window: Duration = Field(default=86_400_000_000, description="in arrival time")
    max_ids: int = Field(default=5_000_000, gt=0, description="per partition; reaching it raises an alert")


class DecisionSpec(Declared):
    """How a score becomes an action."""

    costs: Costs
    rules: tuple[Rule, ...] = Field(default=(), description="always in force; the model can only be stricter")
    cold_start: tuple[Rule, ...] = Field(
        default=(), description="rules that decide, with the others, while there is no champion"
    )
    review_capacity: int | None = Field(
        default=None,
        gt=0,
        description="reviews a day that people can do; the keeper moves the least margin of a review so that "
        "they fit (default: no limit)",
    )
    duplicates: Duplicates = Duplicates()

    @model_validator(mode="after")
    def _rules_have_one_name_each(self) -> Self:
        names = [rule.name for rule in (*self.rules, *self.cold_start)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"rules: two rules are named {name!r}")
        return self
