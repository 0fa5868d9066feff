"""``backup`` and ``restore``: the keeper's state folder, kept elsewhere and put back."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, StateDir

if TYPE_CHECKING:
    from training.keeper.backup import Backup

Folder = Annotated[Path, typer.Argument(help="the backup", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: sluicegate backup backups/monday")(backup)
    app.command(epilog="Example: sluicegate restore backups/monday --state-dir .sluicegate/restored")(restore)


def backup(
    folder: Annotated[Path, typer.Argument(help="a new folder for it", show_default=False)],
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Back up the keeper's store and what belongs to it, as of one moment, whether the keeper runs or not.

    Every file is written with a digest, and counted again. The folder holds personal data, hashes of
    passwords and drawn keys: only its owner can read it.
    """
    from console.backing_up import back_up
    from console.logs import only_warnings

    only_warnings()
    _tell(back_up(state_dir, folder), f"{folder}: ", as_json=as_json)


def restore(
    folder: Folder,
    check: Annotated[
        bool, typer.Option("--check", help="only look whether it is sound; nothing is put anywhere")
    ] = False,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Put a backup back, after every file of it was found to be as it was written; no keeper may run there.

    Nothing is overwritten. The keeper that starts then reads on in Kafka where the backup ends; where Kafka
    no longer has what came after it, the keeper says what is missing and stops.
    """
    from console.logs import only_warnings
    from console.who import who_asks
    from training.keeper.backup import restore as put_back
    from training.keeper.backup import verified

    only_warnings()
    done = verified(folder) if check else put_back(folder, state_dir, who_asks())
    _tell(done, f"{folder} is sound: " if check else f"{state_dir}: ", as_json=as_json)


def _tell(done: "Backup", where: str, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        told = msgspec.to_builtins(done)
        typer.echo(
            json.dumps({key: told[key] for key in told if key != "files"} | {"bytes": done.bytes}, indent=2)
        )
        return
    rows = {name: done.rows.get(name, 0) for name in ("scored", "decisions", "outcomes")}
    counts = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    size = f"{len(done.files)} files, {done.bytes:,} bytes"
    typer.echo(f"{where}{done.pipeline} as of {done.taken_at}: {counts}; {size}")
