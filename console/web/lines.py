"""Decisions as lines of a page: in words, and with what the visitor may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from console.web.masking import seen
from feature_store.declaration.texts import plain
from training.keeper.views.listed import shown_fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.web.site import Site
    from console.web.visitor import Visitor
    from training.keeper.views.listed import Listed

TONES = {"approve": "good", "review": "warn", "decline": "bad"}
"""Action -> how its badge looks."""
_NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Line:
    """A decision as it is written; ``fields`` are names and texts, ``link`` leads to its page."""

    of: Listed
    fields: dict[str, str]
    link: str
    tone: str


def shown_lines(site: Site, visitor: Visitor, found: Iterable[Listed]) -> list[Line]:
    """The lines as ``visitor`` may see them."""
    return [shown_line(site, visitor, each) for each in found]


def shown_line(site: Site, visitor: Visitor, of: Listed) -> Line:
    """One of them."""
    pipeline = site.desk.parts.pipeline
    fields = seen(pipeline, visitor, {name: of.fields.get(name) for name in shown_fields(pipeline)})
    return Line(
        of,
        {name: as_text(value) for name, value in fields.items()},
        event_link(of.event_id, of.source_partition, of.source_offset),
        "" if of.imported else TONES.get(of.action, ""),
    )


def event_link(event_id: str, partition: int, offset: int) -> str:
    """Where one decision is shown, below the console's root."""
    return "/decisions/event?" + urlencode({"id": event_id, "at": f"{partition}_{offset}"})


def as_text(value: Any) -> str:
    """A field's value as people read it."""
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return plain(value)
    if isinstance(value, Decimal):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    return str(value)


def queues_of(site: Site) -> dict[str, tuple[str, ...]]:
    """Review queue -> the rules that ever sent events there, by every version of the policy."""
    documents = [each.document for each in site.desk.policies.history()]
    named: dict[str, dict[str, None]] = {}
    for document in documents:
        for rule in document.rules:
            if rule.queue is not None:
                named.setdefault(rule.queue, {})[rule.name] = None
    return {queue: tuple(rules) for queue, rules in named.items()}
