"""What operators change of the policy: a new version each, with who and why, noted in the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from console.web.visitor import Role
from training.keeper.views.policy import versions_of
from training.policy.content import content_in, without_expired
from training.policy.difference import differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.routing import Route

    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from streams.messages import PolicyDocument
    from training.policy.difference import Difference

    Fields = dict[str, str]
    Asks = Callable[[Site, Fields], dict[str, Any]]
    """The part of a change that the fields ask for: ``edits``, ``content`` or ``from_file``."""


def policy_forms(to: Routes) -> list[Route]:
    """The forms of the pages about the policy."""
    asking: dict[str, Asks] = {
        "edit": lambda _, fields: {"edits": [_decoded(fields.get("edit", ""))]},
        "rule": lambda _, fields: {"edits": [_rule(fields)]},
        "enlist": lambda _, fields: {"edits": [_enlist(fields)]},
        "snooze": lambda _, fields: {"edits": [_snooze(fields)]},
        "thresholds": lambda _, fields: {"edits": [_thresholds(fields)]},
        "reset": lambda _site, _fields: {"from_file": True},
        "return": _return,
    }
    return [to.form(f"/policy/{name}", _does(asks), Role.OPERATOR) for name, asks in asking.items()]


def put_in_force(site: Site, visitor: Visitor, change: dict[str, Any]) -> PolicyDocument:
    """Do what ``change`` asks for, as ``POST /policy`` does but for who, and note it.

    Raises PolicyError with the reason, ContractError where another version is in force, BrokerError.
    """
    policies = site.desk.policies
    before = policies.in_force().document
    after = policies.asked({**change, "made_by": visitor.name}).document
    found = differences(content_in(before), content_in(after))
    had = {"had": [_words(each) for each in found if each.way == "gone"]}
    has = {"has": [_words(each) for each in found if each.way == "new"]}
    site.desk.audit.note(
        visitor.name,
        visitor.role,
        "console",
        "policy",
        f"version {after.version}",
        {"version": before.version, **(had if had["had"] else {})},
        {"version": after.version, **(has if has["has"] else {}), "why": after.why},
    )
    return after


def _does(asks: Asks) -> Callable[[Site, Visitor, dict[str, str], Fields], str]:
    def does(site: Site, visitor: Visitor, _path: dict[str, str], fields: Fields) -> str:
        change = asks(site, fields)
        change["why"] = fields.get("why", "").strip()
        change["base_version"] = _version(fields, "base_version")
        return f"/policy?made={put_in_force(site, visitor, change).version}"

    return does


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("The form does not say what to change; reload the page.") from None


def _rule(fields: Fields) -> dict[str, Any]:
    rule = {name: _field(fields, name) for name in ("name", "when", "action")}
    if queue := fields.get("queue", "").strip():
        rule["queue"] = queue
    return {"edit": "set_rule", "rule": rule}


def _enlist(fields: Fields) -> dict[str, Any]:
    edit = {name: _field(fields, name) for name in ("kind", "field", "value")}
    if lasting := fields.get("lasting", "").strip():
        edit["lasting"] = lasting
    return {"edit": "enlist", **edit, "note": fields.get("why", "").strip()}


def _snooze(fields: Fields) -> dict[str, Any]:
    edit = {name: _field(fields, name) for name in ("field", "value", "lasting")}
    return {"edit": "snooze", **edit, "why": fields.get("why", "").strip()}


def _thresholds(fields: Fields) -> dict[str, Any]:
    if "by_cost" in fields:
        return {"edit": "thresholds", "thresholds": None}
    named = {name: _score(fields, name) for name in ("review", "decline")}
    return {"edit": "thresholds", "thresholds": named}


def _return(site: Site, fields: Fields) -> dict[str, Any]:
    """What an earlier version said, without what has expired and without the margin that the keeper moves."""
    wanted = _version(fields, "version")
    document = next((each for each in versions_of(site.desk) if each.version == wanted), None)
    if document is None:
        raise LookupError(f"there is no policy version {wanted}")
    content = without_expired(content_in(document), site.desk.parts.clock.now())
    if site.desk.parts.pipeline.decision.review_capacity is not None:
        content = msgspec.structs.replace(content, review_margin=None)
    return {"content": msgspec.to_builtins(content)}


def _field(fields: Fields, name: str) -> str:
    value = fields.get(name, "").strip()
    if not value:
        raise ValueError(f"Fill in {name}.")
    return value


def _score(fields: Fields, name: str) -> float | None:
    text = fields.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"The threshold from which on to {name} is a number from 0 to 1.") from None


def _version(fields: Fields, name: str) -> int:
    try:
        return int(fields[name])
    except (KeyError, ValueError):
        raise ValueError("The form does not say which version it was made from; reload the page.") from None


def _words(each: Difference) -> str:
    about = f" {each.field} {each.value}" if each.value is not None else ""
    return f"{each.part} {each.name}{about}" + (f": {each.said}" if each.said else "")
