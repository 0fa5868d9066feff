"""What the policy did lately, and which of its rules are turned off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.policies import default_document
from training.keeper.store import rows
from training.keeper.views.models import DAY

if TYPE_CHECKING:
    from feature_store.duck import Connection
    from streams.messages import PolicyDocument, PolicyRule
    from training.keeper.desk import Desk


class Fired(msgspec.Struct, frozen=True):
    """How many events a rule, list or snooze had its say about within a day, and how many were stopped."""

    name: str
    events: int
    stopped: int


def fired_lately(store: Connection, now: int) -> dict[str, Fired]:
    """By name as it stands in decisions, within the day before ``now`` (us)."""
    found = rows(store, "policy_fired", {"since": max(0, now - DAY)})
    return {each.name: each for each in msgspec.convert(found, list[Fired])}


def versions_of(desk: Desk) -> list[PolicyDocument]:
    """The pipeline file's own as version 0, then all that were published, oldest first."""
    return [default_document(desk.parts.pipeline), *(each.document for each in desk.policies.history())]


def turned_off(versions: list[PolicyDocument], now: PolicyDocument) -> list[PolicyRule]:
    """Rules that an earlier version had and the one in force has not, each as it last was."""
    there = {rule.name for rule in now.rules}
    last = {rule.name: rule for version in versions for rule in version.rules}
    return [rule for name, rule in last.items() if name not in there]
