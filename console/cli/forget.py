"""``forget``: what is stored about a person is deleted."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, StateDir

if TYPE_CHECKING:
    from training.keeper.forget import Forgotten


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: sluicegate forget --entity customer_id=c0004685 --dry-run")(forget)


def forget(
    entity: Annotated[
        str, typer.Option("--entity", metavar="FIELD=VALUE", help="the event's field that names the person")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be deleted, and delete nothing")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Delete everything that the keeper stores about a person's events; the keeper must run.

    It cannot be undone. Kafka keeps its records until their retention ends; what that means, and for
    snapshots, models and backups, is told at the end. The audit trail says that it was done, not for whom.
    """
    from training.keeper.client import KeeperClient

    field, given, value = entity.partition("=")
    if not given:
        raise typer.BadParameter("say who, as FIELD=VALUE", param_hint="--entity")
    with KeeperClient(state_dir) as keeper:
        found = keeper.forget(field, value, dry=True)
        if not as_json:
            typer.echo(_found(found))
        if not dry_run:
            if not yes:
                typer.confirm("Delete all of it for good?", abort=True, err=True)
            found = keeper.forget(field, value)
    if as_json:
        import msgspec

        typer.echo(json.dumps(msgspec.to_builtins(found), indent=2))
    elif not dry_run:
        typer.echo(_done(found))


def _found(found: "Forgotten") -> str:
    span = f" from {found.first_event} to {found.last_event}" if found.events else ""
    lines = [f"{found.events:,} events{span}"]
    lines += [f"  {count:>8,} {table}" for table, count in found.rows.items()]
    if found.forgotten_before:
        lines.append(f"the same was deleted before, on {found.forgotten_before}")
    return "\n".join(lines)


def _done(done: "Forgotten") -> str:
    count = sum(done.rows.values())
    lines = [f"deleted from the store: {count:,} rows; its file is written anew when the keeper restarts"]
    if done.deltas_to_send:
        lines.append(
            f"{done.deltas_to_send} outcome deltas have not reached the scorers yet: run it again later"
        )
    lines += [
        f"{name} of the policy in force names it: take it off, then run this again" for name in done.policy
    ]
    lines += [
        f"in Kafka until {done.kafka_until} at the latest, if topics.retention is that of the topics",
        f"as numbers under a hash in scorers' state until {done.state_until}, while events go on",
        "in backups that were taken before, and in files that you exported: those are yours to delete",
    ]
    return "\n".join(lines)
