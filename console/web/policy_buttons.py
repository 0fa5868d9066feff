"""Changes of the policy from the page of a decision: a value of the event on a list, or snoozed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.web.policy_forms import put_in_force
from console.web.visitor import Role
from feature_store.declaration.event import Kind
from feature_store.units import from_text, parse_duration
from training.policy.edits import Setting

if TYPE_CHECKING:
    from starlette.routing import Route

    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from feature_store.declaration.pipeline import Pipeline

LASTING = ("1h", "24h", "7d", "30d")
_LONGEST = 30 * 86_400_000_000
"""What an analyst may set ends by itself."""
_MOST_LETTERS = 300
_KINDS = ("deny", "watch", "allow")
_LISTED = {Kind.STRING, Kind.INTEGER}


def policy_buttons(to: Routes) -> list[Route]:
    """The forms."""
    return [to.form("/decisions/list", _list, Role.ANALYST)]


def may_list(visitor: Visitor) -> bool:
    """Whether the visitor is offered them."""
    return visitor.may(Role.ANALYST)


def listable(pipeline: Pipeline, event: dict[str, Any]) -> list[tuple[str, str]]:
    """The fields whose values can stand on a list, with this event's; not what names it alone."""
    spec = pipeline.event
    return [
        (name, str(event[name]))
        for name, field in spec.fields.items()
        if field.type.kind in _LISTED and name != spec.id and event.get(name) is not None
    ]


def _list(site: Site, visitor: Visitor, _path: dict[str, str], fields: dict[str, str]) -> str:
    """Put a value on a list, or snooze it. Raises ValueError, or PolicyError as the policy does."""
    what, field, value = (fields.get(name, "") for name in ("what", "field", "value"))
    lasting, why = fields.get("lasting", ""), fields.get("why", "").strip()
    if what not in {*_KINDS, "snooze"}:
        raise ValueError(f"what: {what!r}; expected snooze or one of {', '.join(_KINDS)}")
    if not why or max(len(why), len(value)) > _MOST_LETTERS:
        raise ValueError(
            "why: say it in a few words; it stands in the history of the policy. "
            f"Neither it nor the value has more than {_MOST_LETTERS} letters"
        )
    _check_end(visitor, what, lasting)
    if what == "snooze":
        edit = {"edit": "snooze", "field": field, "value": value, "lasting": lasting, "why": why}
    else:
        edit = {"edit": "enlist", "kind": what, "field": field, "value": value, "note": why}
        if lasting:
            edit["lasting"] = lasting
    change: dict[str, Any] = {"why": why, "edits": [edit]}
    if not visitor.may(Role.OPERATOR):
        change["base_version"] = _check_not_shortened(site, edit)
    version = put_in_force(site, visitor, change).version
    then = fields.get("then", "")
    return f"{then}&policy={version}" if then.startswith("/decisions/event?") else f"/policy?made={version}"


def _check_end(visitor: Visitor, what: str, lasting: str) -> None:
    if visitor.may(Role.OPERATOR):
        return
    if what == "allow":
        raise ValueError("an allow list lets fraud through: that needs the role operator")
    try:
        ends = bool(lasting) and parse_duration(lasting) <= _LONGEST
    except ValueError as error:
        raise ValueError(f"for how long: {error}") from None
    if not ends:
        raise ValueError("what an analyst sets ends by itself: say for how long, at most 30 days")


def _check_not_shortened(site: Site, edit: dict[str, Any]) -> int:
    """Raise ValueError where the value stands there for longer; gives the version that was looked at."""
    document = site.desk.policies.in_force().document
    at = Setting(site.desk.parts.pipeline, site.desk.parts.clock.now())
    field, value = edit["field"], at.value(edit["field"], edit["value"])
    ends: list[str | None]
    if edit["edit"] == "snooze":
        ends = [each.until for each in document.snoozes if (each.field, each.value) == (field, value)]
    else:
        lists = [each for each in document.lists if (each.kind, each.field) == (edit["kind"], field)]
        ends = [entry.until for each in lists for entry in each.entries if entry.value == value]
    end = at.end(edit["lasting"])
    for until in ends:
        if until is None or from_text(until) > from_text(end):
            told = f"until {until}" if until else "for good"
            raise ValueError(f"{field} stands there {told}: to make that shorter needs the role operator")
    return document.version
