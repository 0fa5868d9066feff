"""What operators do with versions: each is a new release, with who and why, noted in the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.web.visitor import Role
from training.keeper.commands import told_release

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.routing import Route

    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from streams.messages import Release
    from training.publish import Publisher

    Making = Callable[[Publisher, str, dict[str, str], str, int], Release]
    """Makes the release, given version, fields, why, and the epoch that the page showed."""

_LONGEST = 300


def release_forms(to: Routes) -> list[Route]:
    """The forms of the pages about models."""
    making: dict[str, Making] = {
        "promote": lambda by, version, _, why, epoch: by.promote(version, why, expected=epoch),
        "canary": lambda by, version, fields, why, epoch: by.canary(
            version, _share(fields), why, expected=epoch
        ),
        "shadow": lambda by, version, _, why, epoch: by.shadow(version, why, expected=epoch),
        "unshadow": lambda by, version, _, why, epoch: by.unshadow(version, why, expected=epoch),
    }
    forms = [
        to.form(f"/models/{{version}}/{what}", _does(what, make), Role.OPERATOR)
        for what, make in making.items()
    ]
    rollback = _does("rollback", lambda by, _version, _fields, why, epoch: by.rollback(why, expected=epoch))
    return [to.form("/rollback", rollback, Role.OPERATOR), *forms]


def _does(what: str, make: Making) -> Callable[[Site, Visitor, dict[str, str], dict[str, str]], str]:
    """The form ``what``: raises ValueError for fields that are none, ContractError as publishing does."""

    def does(site: Site, visitor: Visitor, path: dict[str, str], fields: dict[str, str]) -> str:
        publisher, version = site.desk.parts.publisher, path.get("version", "")
        why = f"{what} by {visitor.name}: {_reason(fields)}"
        epoch = _epoch(fields)
        before = publisher.release()
        after = make(publisher, version, fields, why, epoch)
        site.desk.audit.note(
            visitor.name,
            visitor.role,
            "console",
            what,
            version or str(before and (before.canary or before.champion)),
            told_release(before),
            {**(told_release(after) or {}), "why": after.why},
        )
        return f"/models?released={after.epoch}"

    return does


def _reason(fields: dict[str, str]) -> str:
    reason = fields.get("reason", "").strip()
    if not reason or len(reason) > _LONGEST:
        raise ValueError(
            f"Say why, in 1 to {_LONGEST} characters: it stands in the release and in the audit trail."
        )
    return reason


def _epoch(fields: dict[str, str]) -> int:
    try:
        return int(fields["epoch"])
    except (KeyError, ValueError):
        raise ValueError("The form does not say on which release it was decided; reload the page.") from None


def _share(fields: dict[str, str]) -> float:
    """The canary's share, of percent. Raises ValueError where it is none."""
    try:
        percent = float(fields.get("percent", ""))
    except ValueError:
        raise ValueError("The share of a canary is a number of percent, such as 5.") from None
    if not 0 < percent < 100:  # noqa: PLR2004  (percent)
        raise ValueError(f"The share of a canary is above 0 and below 100 %, not {percent:g} %.")
    return percent / 100
