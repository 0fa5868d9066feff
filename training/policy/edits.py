"""Edits: small changes of the policy in force, each a verb of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from feature_store.declaration.event import Kind
from feature_store.errors import PolicyError
from feature_store.units import LAST_INSTANT, parse_duration, to_text
from streams.messages import EntityList, ListEntry, PolicyRule, Snooze, Thresholds
from training.policy.content import Content, without_expired

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

ListKind = Literal["deny", "allow", "watch"]
Value = str | int


@dataclass(frozen=True)
class Setting:
    """Where an edit is made: the pipeline, and the time of its clock (us)."""

    pipeline: Pipeline
    now: int

    def value(self, field: str, given: Value) -> Value:
        """``given`` as a value of ``field``: a command line knows text only."""
        spec = self.pipeline.event.fields.get(field)
        if spec is None or spec.type.kind is not Kind.INTEGER or isinstance(given, int):
            return given  # what does not fit is refused when the whole is compiled
        try:
            return int(given)
        except ValueError:
            raise PolicyError(f"{given!r} is no value of {field}, which is an integer") from None

    def end(self, lasting: str) -> str:
        """The instant that is ``lasting``, a duration, from now on."""
        if self.now <= 0:
            raise PolicyError("the stream's clock has seen no event yet, so nothing can be timed by it")
        try:
            end = self.now + parse_duration(lasting)
        except ValueError as error:
            raise PolicyError(f"{lasting!r}: {error}") from None
        if not self.now < end <= LAST_INSTANT:
            raise PolicyError(f"{lasting!r}: expected a duration that ends some day")
        return to_text(end)


class SetRule(msgspec.Struct, frozen=True, tag_field="edit", tag="set_rule", forbid_unknown_fields=True):
    """Add a rule, or replace the one of its name."""

    rule: PolicyRule

    def made_in(self, content: Content, _at: Setting) -> Content:
        """``content`` after it."""
        rules = [self.rule if rule.name == self.rule.name else rule for rule in content.rules]
        return replace(content, rules=rules if self.rule in rules else [*rules, self.rule])


class DropRule(msgspec.Struct, frozen=True, tag_field="edit", tag="drop_rule", forbid_unknown_fields=True):
    """Remove a rule."""

    name: str

    def made_in(self, content: Content, _at: Setting) -> Content:
        """``content`` after it. Raises PolicyError where there is no such rule."""
        names = [rule.name for rule in content.rules]
        if self.name not in names:
            raise PolicyError(f"there is no rule {self.name!r}; rules are: {', '.join(names) or 'none'}")
        return replace(content, rules=[rule for rule in content.rules if rule.name != self.name])


class Enlist(msgspec.Struct, frozen=True, tag_field="edit", tag="enlist", forbid_unknown_fields=True):
    """Put a value on the first list of its kind and field; ``lasting``, a duration, ends it by itself."""

    kind: ListKind
    field: str
    value: Value
    lasting: str | None = None
    note: str = ""

    def made_in(self, content: Content, at: Setting) -> Content:
        """``content`` after it; a value that is there already stands as said now."""
        until = None if self.lasting is None else at.end(self.lasting)
        entry = ListEntry(at.value(self.field, self.value), until, self.note)
        lists = list(content.lists)
        for place, each in enumerate(lists):
            if (each.kind, each.field) == (self.kind, self.field):
                others = [other for other in each.entries if other.value != entry.value]
                lists[place] = replace(each, entries=[*others, entry])
                return replace(content, lists=lists)
        made = EntityList(f"{self.kind}_{self.field}", self.kind, self.field, [entry])
        return replace(content, lists=[*lists, made])


class Unlist(msgspec.Struct, frozen=True, tag_field="edit", tag="unlist", forbid_unknown_fields=True):
    """Take a value of a field off every list, or off those of one kind."""

    field: str
    value: Value
    kind: ListKind | None = None

    def made_in(self, content: Content, at: Setting) -> Content:
        """``content`` after it; one that lost its last value goes. Raises PolicyError if it is on none."""
        value = at.value(self.field, self.value)
        lists = [self._without(value, each) for each in content.lists]
        if lists == content.lists:
            raise PolicyError(f"{self.field} {value!r} is on no {f'{self.kind} ' if self.kind else ''}list")
        kept = [now for now, before in zip(lists, content.lists, strict=True) if now.entries or now == before]
        return replace(content, lists=kept)

    def _without(self, value: Value, each: EntityList) -> EntityList:
        if each.field != self.field or self.kind not in {None, each.kind}:
            return each
        return replace(each, entries=[entry for entry in each.entries if entry.value != value])


class SetSnooze(msgspec.Struct, frozen=True, tag_field="edit", tag="snooze", forbid_unknown_fields=True):
    """No reviews for a value of a field, for so long."""

    field: str
    value: Value
    lasting: str
    why: str = ""

    def made_in(self, content: Content, at: Setting) -> Content:
        """``content`` after it; it replaces a snooze of the same value."""
        made = Snooze(self.field, at.value(self.field, self.value), at.end(self.lasting), self.why)
        return replace(content, snoozes=[*_other_snoozes(content, made.field, made.value), made])


class DropSnooze(msgspec.Struct, frozen=True, tag_field="edit", tag="unsnooze", forbid_unknown_fields=True):
    """End a snooze before its time."""

    field: str
    value: Value

    def made_in(self, content: Content, at: Setting) -> Content:
        """``content`` after it. Raises PolicyError where there is no such snooze."""
        value = at.value(self.field, self.value)
        left = _other_snoozes(content, self.field, value)
        if len(left) == len(content.snoozes):
            raise PolicyError(f"{self.field} {value!r} is not snoozed")
        return replace(content, snoozes=left)


class SetThresholds(
    msgspec.Struct, frozen=True, tag_field="edit", tag="thresholds", forbid_unknown_fields=True
):
    """Decide by fixed thresholds on the score; None: by expected cost."""

    thresholds: Thresholds | None

    def made_in(self, content: Content, _at: Setting) -> Content:
        """``content`` after it."""
        return replace(content, thresholds=self.thresholds)


Edit = SetRule | DropRule | Enlist | Unlist | SetSnooze | DropSnooze | SetThresholds


def edited(content: Content, edits: list[Edit], at: Setting) -> Content:
    """``content`` after ``edits``, in order; what has expired is left out.

    Raises PolicyError for an edit of what is not there.
    """
    return reduce(lambda found, edit: edit.made_in(found, at), edits, without_expired(content, at.now))


def _other_snoozes(content: Content, field: str, value: Value) -> list[Snooze]:
    return [each for each in content.snoozes if (each.field, each.value) != (field, value)]
