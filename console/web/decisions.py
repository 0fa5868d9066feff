"""Decisions: the list with its search and filters, and one of them with everything it was decided by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from console.web import decision
from console.web.lines import queues_of, shown_lines
from console.web.masking import personal, sees_personal
from feature_store.declaration.decision import Action
from feature_store.errors import SluicegateError
from feature_store.units import to_micros
from streams.kafka import KafkaException
from streams.scorer.scoring import COLD_START, DEADLINE, MISSING_FEATURE, MODEL_FAILED, NO_SCORE
from training.keeper.store import rows
from training.keeper.views.decisions import Position, Wanted, find_decisions, searchable

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from training.keeper.views.decisions import Found

FALLBACKS = (COLD_START, DEADLINE, MISSING_FEATURE, MODEL_FAILED, NO_SCORE)
_RECENT = 7 * 86_400_000_000
_FILTERS = (
    "text", "action", "model", "fallback", "rule", "queue", "least", "most", "since", "until"
)  # fmt: skip


def routes(to: Routes) -> list[Route]:
    """The list, and the page of one of them."""
    return [to.page("/decisions", "decisions.html", _list), *decision.routes(to)]


def _list(site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
    parts, asked = site.desk.parts, dict(request.query_params)
    hidden = () if sees_personal(visitor) else personal(parts.pipeline)
    queues = queues_of(site)
    wanted = _wanted(asked, searchable(parts.pipeline, hidden), queues)
    with parts.store.cursor() as cursor:
        found = find_decisions(cursor, parts.pipeline, wanted)
        newest = rows(cursor, "decisions_span")[0]["last"]
        since = newest - _RECENT if isinstance(newest, int) else 0
        models = [str(row["model"]) for row in rows(cursor, "decisions_models", {"since": since})]
    return {
        "lines": shown_lines(site, visitor, found.lines),
        "asked": {name: asked.get(name, "") for name in _FILTERS},
        "further": _further(asked, found),
        "searched_to": found.searched_to,
        "first_page": "before" not in asked,
        "fields": searchable(parts.pipeline, hidden),
        "actions": [each.value for each in Action],
        "models": models,
        "fallbacks": FALLBACKS,
        "rules": rule_names(site),
        "queues": sorted(queues),
    }


def rule_names(site: Site) -> list[str]:
    """What can stand in ``rules`` of a decision under the policy in force."""
    declared = site.desk.parts.pipeline.decision
    names = [rule.name for rule in (*declared.rules, *declared.cold_start)]
    try:
        document = site.desk.policies.in_force().document
    except (SluicegateError, KafkaException):  # the page can do without
        return names
    names += [rule.name for rule in document.rules]
    names += [f"list:{each.name}" for each in document.lists]
    names += [f"snooze:{each.field}" for each in document.snoozes]
    return list(dict.fromkeys(names))


def _wanted(asked: dict[str, str], fields: tuple[str, ...], queues: dict[str, tuple[str, ...]]) -> Wanted:
    given = {name: asked.get(name, "").strip() for name in (*_FILTERS, "before")}
    queue = given["queue"] or None
    return Wanted(
        text=given["text"] or None,
        text_fields=fields,
        action=given["action"] or None,
        model=given["model"] or None,
        fallback=given["fallback"] or None,
        rule=given["rule"] or None,
        queue=queue,
        queue_rules=queues.get(queue, ()) if queue else (),
        least_score=_number("from score", given["least"]),
        most_score=_number("to score", given["most"]),
        since=_instant("since", given["since"]),
        until=_instant("until", given["until"]),
        before=_position(given["before"]),
    )


def _further(asked: dict[str, str], found: Found) -> str | None:
    if found.next is None:
        return None
    kept = {name: asked[name] for name in _FILTERS if asked.get(name)}
    return "?" + urlencode(kept | {"before": str(found.next)})


def _number(name: str, text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"{name}: {text!r} is not a number; expected one from 0 to 1") from None


def _instant(name: str, text: str) -> int | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return to_micros(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError(f"{name}: {text!r} is not a time; expected 2026-03-01T14:05, UTC") from None


def _position(text: str) -> Position | None:
    try:
        return Position.of_text(text) if text else None
    except ValueError:
        raise ValueError(f"{text!r} is no place in the list; begin at its first page") from None
