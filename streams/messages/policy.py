"""The policy document: rules, lists, thresholds and snoozes, changed live, one whole document per version.

It stands on the policy topic under ``policy/<pipeline>``; the keeper alone writes it. Before the first one,
the ``decision`` section of the pipeline file is in force.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from feature_store.formats import check_format


class PolicyRule(msgspec.Struct, frozen=True):
    """A condition in SQL over the event's fields, its features, ``score`` and ``margin``; null is false."""

    name: str
    when: str
    action: Literal["approve", "review", "decline"]
    queue: str | None = None
    """The review queue of the events that it stops; None: the default one."""


class ListEntry(msgspec.Struct, frozen=True):
    """One value on a list. ``until`` is RFC 3339, in the pipeline's clock; None: it does not expire."""

    value: str | int
    until: str | None = None
    note: str = ""


class EntityList(msgspec.Struct, frozen=True):
    """Values of one event field that are always declined, always approved, or always looked at."""

    name: str
    kind: Literal["deny", "allow", "watch"]
    field: str
    entries: list[ListEntry] = []


class Snooze(msgspec.Struct, frozen=True):
    """No reviews for events whose ``field`` is ``value``, until then; declines stand."""

    field: str
    value: str | int
    until: str
    why: str = ""


class Thresholds(msgspec.Struct, frozen=True):
    """Fixed thresholds on the calibrated score, instead of expected cost; None: never by score."""

    review: float | None = None
    decline: float | None = None


class PolicyDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that turns a score into an action and may be changed while scorers run.

    ``thresholds`` None: by expected cost. ``review_margin``: the least margin at which the score alone asks
    for a review; the keeper moves it so that reviews fit ``decision.review_capacity``; None: no limit.
    """

    pipeline: str
    version: int
    made_at: str
    made_by: str
    why: str
    rules: list[PolicyRule] = []
    lists: list[EntityList] = []
    snoozes: list[Snooze] = []
    thresholds: Thresholds | None = None
    review_margin: float | None = None


_decoder = msgspec.json.Decoder(PolicyDocument)


def read_document(value: bytes) -> PolicyDocument:
    """The document in a record. Raises msgspec.MsgspecError where it is none, or of a newer format."""
    check_format(value)
    return _decoder.decode(value)


def policy_key(pipeline: str) -> bytes:
    """Key of the document on the policy topic."""
    return f"policy/{pipeline}".encode()
