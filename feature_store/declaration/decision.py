"""The decision: what a mistake costs, the rules, and what happens without a model."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from feature_store.declaration.base import Declared, Identifier, Sql
from feature_store.declaration.event import Kind
from feature_store.units import Duration

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from feature_store.declaration.event import FieldSpec


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


class QueueRule(Rule):
    """A rule whose reviews may go to a queue of their own."""

    queue: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\- ]{0,59}$",
        description="the review queue of the events that it stops; left out: the one of all others",
    )


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


class ScoreThresholds(Declared):
    """Fixed thresholds on the calibrated score, in place of expected cost."""

    review: float | None = Field(
        default=None, ge=0, le=1, description="from here on an event is reviewed (default: never by score)"
    )
    decline: float | None = Field(
        default=None, ge=0, le=1, description="from here on an event is declined (default: never by score)"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.review is not None and self.decline is not None and self.review > self.decline:
            raise ValueError("review is above decline, so nothing would be reviewed; make it the lower one")
        return self


class ListSpec(Declared):
    """A list of values of one event field; entries that expire are added while scorers run."""

    name: Identifier = Field(description="stands in the decision as list:<name>")
    kind: Literal["deny", "allow", "watch"] = Field(
        description="deny: declined, also by the control group; allow: approved; watch: at least reviewed"
    )
    field: Identifier = Field(description="the event field, of type string or integer")
    values: tuple[str | int, ...] = Field(default=(), description="what is on it from the start")


Fallback = Literal["cold_start", "approve", "review", "decline"]


class DecisionSpec(Declared):
    """How a score becomes an action."""

    costs: Costs
    thresholds: ScoreThresholds | None = Field(
        default=None, description="fixed thresholds on the score (default: the least expected cost)"
    )
    rules: tuple[QueueRule, ...] = Field(
        default=(), description="always in force; the model can only be stricter"
    )
    cold_start: tuple[Rule, ...] = Field(
        default=(), description="rules that decide, with the others, while there is no champion"
    )
    lists: tuple[ListSpec, ...] = Field(default=(), description="deny, allow and watch lists")
    deadline: Duration | None = Field(
        default=None,
        gt=0,
        description="from arrival to scoring; an event that waited longer falls back unscored "
        "(default: none)",
    )
    required_features: tuple[str, ...] = Field(
        default=(), description="features without which a score is not trusted: null in one falls back"
    )
    fallback: Fallback = Field(
        default="cold_start",
        description="what decides, with rules and lists, where a champion gives no score to trust: its "
        "deadline passed, it failed, a required feature is missing; an action, or the cold_start rules",
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
        named = {
            "rules: two rules": [rule.name for rule in (*self.rules, *self.cold_start)],
            "lists: two lists": [each.name for each in self.lists],
        }
        for what, names in named.items():
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{what} are named {name!r}")
        return self

    def check_against(self, fields: Mapping[str, FieldSpec], features: Collection[str]) -> None:
        """Raise ValueError where it speaks of fields, values or features that are not declared as such."""
        for name in self.required_features:
            if name not in features:
                raise ValueError(f"decision.required_features: {name!r} is not a feature")
        for each in self.lists:
            check_listed(f"decision.lists: {each.name}", fields, each.field, each.values)


_LISTED: dict[Kind, type] = {Kind.STRING: str, Kind.INTEGER: int}


def check_listed(
    where: str, fields: Mapping[str, FieldSpec], field: str, values: Collection[str | int]
) -> None:
    """Raise ValueError where ``values`` cannot be those of an event field that lists may be of."""
    spec = fields.get(field)
    if spec is None:
        raise ValueError(f"{where}: there is no event field {field!r}; declared are {', '.join(fields)}")
    kind = spec.type.kind
    if kind not in _LISTED:
        raise ValueError(f"{where}: {field} is a {kind}; lists are of string or integer fields")
    for value in values:
        if type(value) is not _LISTED[kind]:
            cure = "; write it in quotes" if kind is Kind.STRING else ""
            raise ValueError(f"{where}: {value!r} is no value of {field}, which is of type {kind}{cure}")
