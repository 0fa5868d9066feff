"""The review queue, and the verdicts that are given on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from console.web.lines import queues_of, shown_line
from console.web.masking import HIDDEN, personal, sees_personal
from console.web.visitor import Role
from streams.messages import Label
from training.keeper.verdicts import Verdict
from training.keeper.views.decisions import searchable
from training.keeper.views.review import (
    HORIZON,
    Asked,
    Item,
    done_today,
    recent_verdicts,
    review_item,
    waiting_reviews,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from console.web.lines import Line
    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor

_KEPT = ("queue", "declined", "text")
"""What a look at the queue is narrowed by."""
_REASONS = 5
_DAYS = HORIZON // 86_400_000_000


@dataclass(frozen=True)
class Card:
    """An item as the page shows it; ``holder`` is who else works on it, ``mine`` whether the visitor does,
    ``word`` what was said of it. ``stake`` is None for those who may not see the amount that it tells.
    """

    line: Line
    stake: float | None
    reasons: list[str]
    queue: str
    holder: str | None
    mine: bool
    word: str = ""


def routes(to: Routes) -> list[Route]:
    """The queue, and what is done on it."""
    return [
        to.page("/review", "review.html", _queue),
        to.data("/review/claims", lambda site, _request, _visitor: site.desk.verdicts.claims.holders()),
        to.form("/review/claim", _claim, Role.ANALYST),
        to.form("/review/verdict", _verdict, Role.ANALYST),
    ]


def _queue(site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
    parts, verdicts, asked = site.desk.parts, site.desk.verdicts, dict(request.query_params)
    pipeline, queues, now = parts.pipeline, queues_of(site), parts.clock.now()
    want = _asked(site, visitor, asked, queues)
    with parts.store.cursor() as cursor:
        found = waiting_reviews(cursor, pipeline, want, now)
        done = done_today(cursor, pipeline, verdicts.source, now)
        told = recent_verdicts(cursor)
        again = review_item(cursor, pipeline, asked["again"]) if asked.get("again") else None
    return {
        "cards": _cards(site, visitor, found.items, again),
        "found": found,
        "at_stake": None if pipeline.decision.costs.amount in _hidden(site, visitor) else found.at_stake,
        "done": done,
        "told": told,
        "queues": sorted({*queues, *found.by_queue} - {""}) if queues else [],
        "asked": asked,
        "back": urlencode({name: asked[name] for name in _KEPT if name in asked}),
        "links": _links(asked),
        "fields": want.text_fields,
        "may_say": visitor.may(Role.ANALYST),
        "said": _just_said(asked),
        "days": _DAYS,
    }


def _asked(site: Site, visitor: Visitor, asked: dict[str, str], queues: dict[str, tuple[str, ...]]) -> Asked:
    return Asked(
        queue=asked.get("queue"),
        queue_rules=frozenset(name for rules in queues.values() for name in rules),
        declined="declined" in asked,
        text=asked.get("text", "").strip() or None,
        text_fields=searchable(site.desk.parts.pipeline, _hidden(site, visitor)),
        without=frozenset(site.desk.verdicts.said()),
    )


def _cards(site: Site, visitor: Visitor, items: list[Item], again: Item | None) -> list[Card]:
    """What waits; before it the one that somebody wants to speak of anew."""
    verdicts = site.desk.verdicts
    holders = verdicts.claims.holders()
    cards = [_card(site, visitor, item, holders) for item in items]
    if again is None:
        return cards
    return [_card(site, visitor, again, holders, verdicts.last_word(again.of.event_id) or ""), *cards]


def _card(site: Site, visitor: Visitor, item: Item, holders: dict[str, str], word: str = "") -> Card:
    hidden = _hidden(site, visitor)
    costs = site.desk.parts.pipeline.decision.costs
    reasons = [each for each in (item.sent.reasons if item.sent else []) if each.contribution > 0]
    holder = holders.get(item.of.event_id)
    return Card(
        shown_line(site, visitor, item.of),
        None if costs.amount in hidden else item.of.stake or 0.0,
        [f"{each.feature}: {HIDDEN}" if each.feature in hidden else each.text for each in reasons[:_REASONS]],
        item.queue,
        None if holder == visitor.name else holder,
        holder == visitor.name,
        word,
    )


def _hidden(site: Site, visitor: Visitor) -> frozenset[str]:
    """Fields and features whose values are not for the visitor."""
    return frozenset() if sees_personal(visitor) else personal(site.desk.parts.pipeline)


def _links(asked: dict[str, str]) -> dict[str, str]:
    """The queue with one narrowing more or less."""
    kept = {name: asked[name] for name in _KEPT if name in asked}
    toggled = {name: kept[name] for name in kept if name != "declined"}
    if "declined" not in kept:
        toggled["declined"] = "1"
    return {
        "declined": "?" + urlencode(toggled),
        "queue": urlencode({name: kept[name] for name in kept if name != "queue"}),
    }


def _just_said(asked: dict[str, str]) -> dict[str, str] | None:
    label = asked.get("label", "")
    return {"event_id": asked["said"], "label": label} if asked.get("said") and label in {*Label} else None


def _claim(site: Site, visitor: Visitor, _path: dict[str, str], fields: dict[str, str]) -> str:
    site.desk.verdicts.claims.claim(_event_id(fields), visitor.name)
    return "/review/claims" if fields.get("via") == "script" else f"/review?{_back(fields)}"


def _verdict(site: Site, visitor: Visitor, _path: dict[str, str], fields: dict[str, str]) -> str:
    event_id, label = _event_id(fields), fields.get("label", "")
    if label not in {*Label}:
        raise ValueError(f"label: {label!r}; expected fraud or legitimate")
    verdict = Verdict(event_id, Label(label), visitor.name, visitor.role.value, fields.get("seen"))
    site.desk.verdicts.say(verdict)
    if fields.get("back") == "event":
        return "/decisions/event?" + urlencode({"id": event_id, "at": fields.get("at", "")})
    then = urlencode({"said": event_id, "label": label})
    back = _back(fields)
    return f"/review?{back}&{then}" if back else f"/review?{then}"


def _event_id(fields: dict[str, str]) -> str:
    found = fields.get("event_id", "")
    if not found:
        raise ValueError("event_id: missing")
    return found


def _back(fields: dict[str, str]) -> str:
    """What the queue was narrowed by, and nothing else."""
    given = parse_qsl(fields.get("back", ""), keep_blank_values=True)  # a blank queue is the default one
    return urlencode([(name, value) for name, value in given if name in _KEPT])
