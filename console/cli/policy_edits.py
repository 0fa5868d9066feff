"""``policy deny``, ``snooze`` and their like: one small change of the policy in force each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from console.cli.options import STATE_DIR, AsJson, By, StateDir, Why

Field = Annotated[str, typer.Argument(help="a field of the event, of type string or integer")]
Values = Annotated[list[str], typer.Argument(metavar="VALUE...", help="its values")]
For = Annotated[
    str | None, typer.Option("--for", help="for how long, such as 7d; left out, until it is taken off")
]
Lasting = Annotated[str, typer.Option("--for", help="for how long, such as 2h")]
Rule = Annotated[str, typer.Argument(metavar="NAME", help="of the rule")]


_LISTS = (
    (
        "deny",
        "Decline every event whose FIELD has one of these values, whatever else says.",
        'card_id k0000017 --for 7d --why "reported stolen"',
    ),
    (
        "allow",
        "Approve every event whose FIELD has one of these values, unless it is denied.",
        'terminal_id t000042 --why "our own"',
    ),
    (
        "watch",
        "Review every event whose FIELD has one of these values, unless something stronger is done.",
        'merchant_id m000007 --for 2w --why "new"',
    ),
)
"""Kind of list, what putting a value on it does, an example."""


def register(group: typer.Typer) -> None:
    """Add the commands to the group ``policy``."""
    for kind, help_text, example in _LISTS:
        command = group.command(kind, epilog=f"Example: sluicegate policy {kind} {example}")
        command(_enlisting(kind, help_text))
    group.command(epilog='Example: sluicegate policy unlist card_id k0000017 --why "found"')(unlist)
    group.command(epilog='Example: sluicegate policy snooze customer_id c0000001 --for 2h --why "called"')(
        snooze
    )
    group.command(epilog='Example: sluicegate policy unsnooze customer_id c0000001 --why "done"')(unsnooze)
    group.command(
        epilog="Example: sluicegate policy rule night_limit 'night = 1 and 900 < amount' review "
        '--why "losses at night"'
    )(rule)
    group.command(epilog='Example: sluicegate policy unrule night_limit --why "too many"')(unrule)
    group.command(epilog='Example: sluicegate policy thresholds --review 0.2 --decline 0.9 --why "a trial"')(
        thresholds
    )


def _enlisting(kind: str, help_text: str) -> Callable[..., None]:
    """The command that puts values of a field on the lists of this kind."""

    def enlist(
        field: Field,
        value: Values,
        why: Why,
        lasting: For = None,
        by: By = None,
        state_dir: StateDir = STATE_DIR,
        as_json: AsJson = False,
    ) -> None:
        entry = {"edit": "enlist", "kind": kind, "field": field, "lasting": lasting, "note": why}
        ask(state_dir, {"edits": [entry | {"value": each} for each in value]}, why, by, as_json=as_json)

    enlist.__doc__ = help_text
    return enlist


def unlist(
    field: Field,
    value: Values,
    why: Why,
    kind: Annotated[
        str | None, typer.Option("--kind", help="deny, allow or watch; left out, every list")
    ] = None,
    by: By = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Take values of FIELD off the lists."""
    edits = [{"edit": "unlist", "field": field, "value": each, "kind": kind} for each in value]
    ask(state_dir, {"edits": edits}, why, by, as_json=as_json)


def snooze(
    field: Field,
    value: Values,
    lasting: Lasting,
    why: Why,
    by: By = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Review no event whose FIELD has one of these values, for a while; declines stand."""
    edits = [
        {"edit": "snooze", "field": field, "value": each, "lasting": lasting, "why": why} for each in value
    ]
    ask(state_dir, {"edits": edits}, why, by, as_json=as_json)


def unsnooze(
    field: Field,
    value: Values,
    why: Why,
    by: By = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """End snoozes of values of FIELD before their time."""
    edits = [{"edit": "unsnooze", "field": field, "value": each} for each in value]
    ask(state_dir, {"edits": edits}, why, by, as_json=as_json)


def rule(
    name: Rule,
    when: Annotated[str, typer.Argument(help="SQL over the event's fields, its features, score and margin")],
    action: Annotated[str, typer.Argument(help="approve, review or decline: the least strong one")],
    why: Why,
    queue: Annotated[str | None, typer.Option("--queue", help="the review queue of what it stops")] = None,
    by: By = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Add a rule, or replace the one of this name."""
    made = {"name": name, "when": when, "action": action, "queue": queue}
    ask(state_dir, {"edits": [{"edit": "set_rule", "rule": made}]}, why, by, as_json=as_json)


def unrule(
    name: Rule, why: Why, by: By = None, state_dir: StateDir = STATE_DIR, as_json: AsJson = False
) -> None:
    """Remove a rule."""
    ask(state_dir, {"edits": [{"edit": "drop_rule", "name": name}]}, why, by, as_json=as_json)


def thresholds(
    why: Why,
    review: Annotated[float | None, typer.Option("--review", help="least score of a review")] = None,
    decline: Annotated[float | None, typer.Option("--decline", help="least score of a decline")] = None,
    by: By = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Decide by fixed thresholds on the score; with neither of them, by expected cost."""
    fixed = None if review is None and decline is None else {"review": review, "decline": decline}
    ask(state_dir, {"edits": [{"edit": "thresholds", "thresholds": fixed}]}, why, by, as_json=as_json)


def ask(state_dir: Path, change: dict[str, Any], why: str, by: str | None, *, as_json: bool) -> None:
    """Ask the keeper for a change, and tell what is in force then."""
    from console.policy_words import changed
    from console.who import who_asks
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.change_policy(change | {"why": why, "made_by": by or who_asks()})
    typer.echo(json.dumps(found, indent=2) if as_json else changed(found))
