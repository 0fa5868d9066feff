"""What a policy says, without who made it and when."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from feature_store.errors import PolicyError
from feature_store.units import from_text
from streams.messages import EntityList, PolicyDocument, PolicyRule, Snooze, Thresholds


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part of a policy document that people write."""

    rules: list[PolicyRule] = []
    lists: list[EntityList] = []
    snoozes: list[Snooze] = []
    thresholds: Thresholds | None = None
    review_margin: float | None = None


_NAMES = Content.__struct_fields__

Struct = TypeVar("Struct", bound=msgspec.Struct)


def content_in(document: PolicyDocument) -> Content:
    """What a document says."""
    return Content(**{name: getattr(document, name) for name in _NAMES})


def with_content(document: PolicyDocument, content: Content) -> PolicyDocument:
    """``document``, saying ``content``."""
    return replace(document, **{name: getattr(content, name) for name in _NAMES})


def without_expired(content: Content, now: int) -> Content:
    """``content`` without the entries and snoozes whose time is over at ``now`` (us)."""
    lists = [
        replace(each, entries=[entry for entry in each.entries if _stands(entry.until, now)])
        for each in content.lists
    ]
    return replace(
        content, lists=lists, snoozes=[each for each in content.snoozes if _stands(each.until, now)]
    )


def understood(given: Any, kind: type[Struct]) -> Struct:
    """Decoded JSON or YAML as ``kind``. Raises PolicyError naming the place of what does not belong there."""
    try:
        found = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise PolicyError(f"the policy is not understood: {error}") from None
    if unknown := _unknown(given, msgspec.to_builtins(found), ""):
        raise PolicyError(f"the policy has unknown keys: {', '.join(unknown)}")
    return found


def _stands(until: str | None, now: int) -> bool:
    try:
        return until is None or from_text(until) > now
    except ValueError:
        return True  # whoever compiles it says what is wrong with it


def _unknown(given: Any, found: Any, where: str) -> list[str]:
    """The keys of ``given`` that left no trace in ``found``: a misspelt ``until`` must not mean for ever."""
    if isinstance(given, dict) and isinstance(found, dict):
        inner = [_unknown(given[key], found[key], f"{where}.{key}") for key in given if key in found]
        strange = [f"{where}.{key}".lstrip(".") for key in given if key not in found]
        return strange + [each for names in inner for each in names]
    if isinstance(given, list) and isinstance(found, list):
        pairs = enumerate(zip(given, found, strict=True))
        return [name for i, (a, b) in pairs for name in _unknown(a, b, f"{where}[{i}]")]
    return []
