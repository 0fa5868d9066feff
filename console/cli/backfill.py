"""``backfill``: history and state from a file of past events."""

import json
from pathlib import Path
from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, Bootstrap, Config, StateDir


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: sluicegate backfill past.parquet --config my.yaml")(backfill)


def backfill(
    file: Annotated[Path, typer.Argument(help="Parquet or CSV, mapped by event.file of the pipeline file")],
    only_new: Annotated[
        bool, typer.Option("--only-new", help="fill features in that stored events were scored without")
    ] = False,
    config: Config = None,
    broker: Bootstrap = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Build history and state from past events, so that windows are full on day one.

    Before the first live event: the keeper takes the history in, scorers begin with the state. Later it is
    refused; only features that are new can still be filled in (--only-new).
    """
    from console.backfilling import as_dict, refuse_what_comes_too_late, words
    from console.pipeline_file import find_config, open_pipeline
    from console.progress import progress_bar
    from training.history.backfill import backfill as whole
    from training.history.backfill import backfill_new
    from training.history.keeper import KeptHistory

    pipeline = open_pipeline(find_config(config), state_dir)
    if not only_new:
        refuse_what_comes_too_late(pipeline, broker, state_dir)
    work = backfill_new if only_new else whole
    with progress_bar() as tell:
        done = work(pipeline, file, state_dir, KeptHistory(pipeline, state_dir), tell)
    typer.echo(json.dumps(as_dict(done), indent=2) if as_json else words(done))
