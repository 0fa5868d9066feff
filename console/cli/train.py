"""``train`` and ``runs``: a training run now, and all that were and will be."""

import json
from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, StateDir


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: sluicegate train --dry-run")(train)
    app.command(epilog="Example: sluicegate runs --last 5")(runs)


def train(
    no_wait: Annotated[bool, typer.Option("--no-wait", help="ask for the run and return at once")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="everything up to the gate's verdict; nothing is published")
    ] = False,
    shuffle_labels: Annotated[
        bool,
        typer.Option("--shuffle-labels", help="labels without meaning: the gate must refuse (exit code 1)"),
    ] = False,
    trust_data: Annotated[
        bool,
        typer.Option(
            "--trust-data", help="labels and features are right, however strange they look to the gate"
        ),
    ] = False,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Train a challenger now and let it stand before the gate; the keeper must run.

    The exit code is 0 when it passed and is released (with --dry-run: would be), 1 when it was refused or the
    run failed.
    """
    from console.training_run import PASSED, await_run, words
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        run_id = keeper.train(shuffle_labels=shuffle_labels, dry=dry_run, trust_data=trust_data)
        if no_wait:
            typer.echo(json.dumps({"run_id": run_id}) if as_json else f"training run {run_id} is due")
            return
        run = await_run(keeper, run_id)
    typer.echo(json.dumps(run, indent=2) if as_json else words(run))
    if run["state"] not in PASSED:
        raise typer.Exit(1)


def runs(
    last: Annotated[int, typer.Option("--last", min=1, help="how many, the newest")] = 20,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the training runs with their verdicts, and when the next is due; the keeper must run."""
    from console.training_run import listed, told
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = told(keeper.runs()[-last:], keeper.status())
    typer.echo(json.dumps(found, indent=2) if as_json else listed(found))
