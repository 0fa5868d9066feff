"""The policy in force, in the order in which its parts are asked, and every version with what it changed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from console.web.masking import seen, seen_rule
from console.web.policy_forms import policy_forms
from feature_store.declaration.event import Kind
from feature_store.units import from_text
from training.keeper.views.policy import fired_lately, turned_off, versions_of
from training.policy.content import content_in
from training.policy.difference import differences

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import EntityList, PolicyDocument
    from training.policy.difference import Difference

_SHOWN = 100
"""Values of a list on the page; others are found by searching."""
_A_PAGE = 50
_LISTABLE = {Kind.STRING, Kind.INTEGER}


def routes(to: Routes) -> list[Route]:
    """The pages, and the forms that change the policy."""
    return [
        to.page("/policy", "policy.html", _in_force),
        to.page("/policy/versions/{version:int}", "policy_version.html", _one),
        *policy_forms(to),
    ]


def _in_force(site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
    desk, find = site.desk, request.query_params.get("find", "").strip()
    told = desk.policies.told()
    document: PolicyDocument = told["document"]
    pipeline, now = desk.parts.pipeline, desk.parts.clock.now()
    versions = versions_of(desk)
    last = int(request.query_params.get("before", document.version + 1))
    earlier = [each for each in reversed(versions) if each.version < last]
    with desk.parts.store.cursor() as cursor:
        fired = fired_lately(cursor, now)
    return {
        "document": document,
        "told": told,
        "find": find,
        "rule_words": partial(seen_rule, pipeline, visitor),
        "lists": {
            kind: [_list(each, pipeline, visitor, now, find) for each in document.lists if each.kind == kind]
            for kind in ("deny", "allow", "watch")
        },
        "snoozes": [
            {
                "field": each.field,
                "value": each.value,
                "shown": _shown(pipeline, visitor, each.field, each.value),
                "until": each.until,
                "expired": from_text(each.until) <= now,
                "why": each.why,
            }
            for each in document.snoozes
        ],
        "off": turned_off(versions, document),
        "cold_start": pipeline.decision.cold_start,
        "fired": fired,
        "key": pipeline.whole.event.key,
        "fields": [name for name, spec in pipeline.event.fields.items() if spec.type.kind in _LISTABLE],
        "versions": earlier[:_A_PAGE],
        "older": earlier[_A_PAGE - 1].version if len(earlier) > _A_PAGE else None,
        "made": request.query_params.get("made"),
    }


def _one(site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
    """One version beside the one before it and the one in force. Raises LookupError for an unknown one."""
    desk = site.desk
    versions = versions_of(desk)
    wanted = request.path_params["version"]
    at = next((place for place, each in enumerate(versions) if each.version == wanted), None)
    if at is None:
        raise LookupError(f"there is no policy version {wanted}")
    document, in_force = versions[at], desk.policies.in_force().document
    before = versions[at - 1] if at else None
    pipeline = desk.parts.pipeline

    def between(first: PolicyDocument, second: PolicyDocument) -> list[dict[str, Any]]:
        found = differences(content_in(first), content_in(second))
        return [_told(each, pipeline, visitor) for each in found]

    return {
        "document": document,
        "in_force": in_force,
        "before": before,
        "changes": [] if before is None else between(before, document),
        "since": between(document, in_force),
    }


def _list(each: EntityList, pipeline: Pipeline, visitor: Visitor, now: int, find: str) -> dict[str, Any]:
    """A list with the entries that are looked for, the newest first, no more than a page takes."""
    found = []
    for entry in reversed(each.entries):
        shown = _shown(pipeline, visitor, each.field, entry.value)
        if find.casefold() in f"{shown} {entry.note}".casefold():
            found.append((entry, shown))
    return {
        "name": each.name,
        "field": each.field,
        "kind": each.kind,
        "count": len(each.entries),
        "hidden": max(0, len(found) - _SHOWN),
        "entries": [
            {
                "value": entry.value,
                "shown": shown,
                "until": entry.until,
                "expired": entry.until is not None and from_text(entry.until) <= now,
                "note": entry.note,
            }
            for entry, shown in found[:_SHOWN]
        ],
    }


def _told(each: Difference, pipeline: Pipeline, visitor: Visitor) -> dict[str, Any]:
    about = None
    if each.field is not None and each.value is not None:
        about = f"{each.field} {_shown(pipeline, visitor, each.field, each.value)}"
    said = seen_rule(pipeline, visitor, each.said) if each.part == "rule" else each.said
    return {"way": each.way, "part": each.part, "name": each.name, "said": said, "about": about}


def _shown(pipeline: Pipeline, visitor: Visitor, field: str, value: str | int) -> str:
    return str(seen(pipeline, visitor, {field: value})[field])
