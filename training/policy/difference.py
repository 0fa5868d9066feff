"""What changed from one policy to the next, part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from streams.messages import EntityList, ListEntry, PolicyRule, Snooze, Thresholds
    from training.policy.content import Content

Part = Literal["rule", "list", "entry", "snooze", "thresholds", "review_margin"]


class Difference(msgspec.Struct, frozen=True):
    """One part that is gone or new; what was changed is both.

    ``field`` and ``value`` say whom an entry or a snooze is about; ``said`` is all else of the part.
    """

    way: Literal["gone", "new"]
    part: Part
    name: str
    said: str = ""
    field: str | None = None
    value: str | int | None = None


def differences(before: Content, after: Content) -> list[Difference]:
    """What is gone and what is new, rules first; the order of rules and entries says nothing."""
    return [
        *_rules(before, after),
        *_lists(before, after),
        *_snoozes(before, after),
        *_figure("thresholds", before.thresholds, after.thresholds),
        *_figure("review_margin", before.review_margin, after.review_margin),
    ]


def _rules(before: Content, after: Content) -> Iterator[Difference]:
    def said(rule: PolicyRule) -> Difference:
        queue = f", queue {rule.queue}" if rule.queue else ""
        return Difference("new", "rule", rule.name, f"{rule.action} when {rule.when}{queue}")

    yield from _changed(
        {each.name: said(each) for each in before.rules}, {each.name: said(each) for each in after.rules}
    )


def _lists(before: Content, after: Content) -> Iterator[Difference]:
    def heads(content: Content) -> dict[Hashable, Difference]:
        return {
            each.name: Difference("new", "list", each.name, f"{each.kind} list of {each.field}")
            for each in content.lists
        }

    def entries(content: Content) -> dict[Hashable, Difference]:
        return {
            (each.name, each.field, entry.value): _entry(each, entry)
            for each in content.lists
            for entry in each.entries
        }

    yield from _changed(heads(before), heads(after))
    yield from _changed(entries(before), entries(after))


def _entry(of: EntityList, entry: ListEntry) -> Difference:
    return Difference("new", "entry", of.name, _until(entry.until, entry.note), of.field, entry.value)


def _snoozes(before: Content, after: Content) -> Iterator[Difference]:
    def all_of(content: Content) -> dict[Hashable, Difference]:
        return {(each.field, each.value): _snooze(each) for each in content.snoozes}

    yield from _changed(all_of(before), all_of(after))


def _snooze(of: Snooze) -> Difference:
    return Difference("new", "snooze", f"snooze:{of.field}", _until(of.until, of.why), of.field, of.value)


def _changed(
    before: Mapping[Hashable, Difference], after: Mapping[Hashable, Difference]
) -> Iterator[Difference]:
    for key, was in before.items():
        if after.get(key) != was:
            yield msgspec.structs.replace(was, way="gone")
            if key in after:
                yield after[key]
    yield from (now for key, now in after.items() if key not in before)


def _figure(
    part: Part, was: Thresholds | float | None, now: Thresholds | float | None
) -> Iterator[Difference]:
    if was == now:
        return
    if was is not None:
        yield Difference("gone", part, part, _figures(was))
    if now is not None:
        yield Difference("new", part, part, _figures(now))


def _until(until: str | None, note: str) -> str:
    told = [f"until {until[:19].replace('T', ' ')}"] if until else []
    return ", ".join([*told, *([note] if note else [])])


def _figures(value: Thresholds | float) -> str:
    if isinstance(value, float | int):
        return f"{value:.4g}"
    named = {"review": value.review, "decline": value.decline}.items()
    return ", ".join(f"{name} from {each:g}" for name, each in named if each is not None) or "none"
