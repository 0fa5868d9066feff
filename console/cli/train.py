"""``train``: a training run now, beside those that the schedule starts."""

import json
from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, StateDir


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: sluicegate train")(train)


def train(
    no_wait: Annotated[bool, typer.Option("--no-wait", help="ask for the run and return at once")] = False,
    shuffle_labels: Annotated[
        bool,
        typer.Option("--shuffle-labels", help="labels without meaning: the gate must refuse (exit code 1)"),
    ] = False,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Train a challenger now and let it stand before the gate; the keeper must run.

    The exit code is 0 when it passed and acts, 1 when it was refused or the run failed.
    """
    from console.training_run import await_run, words
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        run_id = keeper.train(shuffle_labels=shuffle_labels)
        if no_wait:
            typer.echo(json.dumps({"run_id": run_id}) if as_json else f"training run {run_id} is due")
            return
        run = await_run(keeper, run_id)
    typer.echo(json.dumps(run, indent=2) if as_json else words(run))
    if run["state"] != "passed":
        raise typer.Exit(1)
