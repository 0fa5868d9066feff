"""The audit trail: who changed what, and what it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from console.web.visitor import Role

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from training.keeper.audit import Change

_PAGE = 100


def routes(to: Routes) -> list[Route]:
    """The page, for operators."""
    return [to.page("/audit", "audit.html", _shown, Role.OPERATOR)]


def _shown(site: Site, request: Request, _visitor: Visitor) -> dict[str, Any]:
    asked = {name: request.query_params.get(name, "").strip() for name in ("who", "what", "subject")}
    before = request.query_params.get("before", "")
    found = site.desk.audit.newest(_PAGE, before=int(before) if before else None, **asked)
    older = found[-1].number if len(found) == _PAGE else None
    return {
        "changes": [_line(change) for change in found],
        "asked": asked,
        "kinds": site.desk.audit.kinds(),
        "older": older,
    }


def _line(change: Change) -> dict[str, Any]:
    line = {name: getattr(change, name) for name in ("noted_at", "who", "role", "via", "what", "subject")}
    return line | {"before": _words(change.before), "after": _words(change.after)}


def _words(value: Any) -> list[tuple[str, str]]:
    """Name and value of what is told, in the order in which it was noted."""
    if value is None:
        return []
    if not isinstance(value, dict):
        return [("", _text(value))]
    return [(str(name), _text(each)) for name, each in value.items() if each is not None]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value) or "none"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
