"""``features``: what is declared, in words; computed for a file; checked against what was logged."""

import json
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from console.cli.options import STATE_DIR, AsJson, Config, StateDir

ConfigOfRun = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="pipeline file (default: of what runs in the state folder, else config/payments.yaml here, "
        "else the shipped one)",
    ),
]
Engine = Literal["online", "offline"]


def register(app: typer.Typer) -> None:
    """Add the group to ``app``."""
    group = typer.Typer(help="Features: list, compute for a file, check.", no_args_is_help=True)
    group.command("list", epilog="Example: sluicegate features list --config config/payments.yaml")(list_all)
    group.command(epilog="Example: sluicegate features compute past.parquet --out features.parquet")(compute)
    group.command(epilog="Example: sluicegate features check --config config/payments.yaml")(check)
    app.add_typer(group, name="features")


def list_all(config: Config = None, state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """List every feature with its hash and what it means in words."""
    from console.feature_table import as_dict, print_features
    from console.pipeline_file import find_config, open_pipeline
    from feature_store.declaration.words import explained

    pipeline = open_pipeline(find_config(config), state_dir)
    found = explained(pipeline)
    if as_json:
        typer.echo(
            json.dumps({"pipeline": pipeline.name, "features": [as_dict(each) for each in found]}, indent=2)
        )
    else:
        print_features(found)


def compute(
    file: Annotated[Path, typer.Argument(help="Parquet or CSV, mapped by event.file of the pipeline file")],
    out: Annotated[Path, typer.Option("--out", help="the Parquet file to write")],
    engine: Annotated[
        Engine, typer.Option("--engine", help="the scorer's own, or the same definitions as SQL")
    ] = "online",
    config: Config = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Write the id and every feature of every past event, as a scorer would have computed them.

    Events come by event time, ties in file order; the outcome of a fraud is known event.file.label.delay
    after it.
    """
    from console.pipeline_file import find_config, open_pipeline
    from console.progress import progress_bar
    from console.sending import told
    from training.history.compute import compute_file

    pipeline = open_pipeline(find_config(config), state_dir)
    began = time.monotonic()
    with progress_bar() as tell:
        events = compute_file(pipeline, file, engine, out, tell)
    seconds = time.monotonic() - began
    figures = {
        "file": str(out),
        "engine": engine,
        "events": events,
        "features": len(pipeline.feature_vector),
        "seconds": round(seconds, 1),
        "events_per_s": round(events / max(seconds, 1e-3)),
    }
    typer.echo(told(figures, as_json=as_json))


def check(
    file: Annotated[
        Path | None, typer.Argument(help="a file of past events; left out: what was logged so far")
    ] = None,
    config: ConfigOfRun = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Hold the features that decisions saw to the same definitions as SQL; exit code 1 on any difference.

    Without FILE: what was logged and stored by the keeper, running or not, against history computed again.
    Late events are left out, and rows that were computed under another definition of a feature. With FILE:
    both engines on its events. Where nothing at all was compared, the exit code is 1, too.
    """
    from console.check_table import as_dict, print_check
    from console.local_run import config_of_run
    from console.pipeline_file import find_config, open_pipeline
    from console.progress import progress_bar
    from training.history.check import check_file
    from training.history.keeper import KeptHistory
    from training.history.logged import check_stored
    from training.keeper.store import existing_store

    if file is None:
        existing_store(state_dir)  # before anything is written there
    pipeline = open_pipeline(find_config(config or config_of_run(state_dir)), state_dir)
    with progress_bar() as tell:
        if file is not None:
            checked = check_file(pipeline, file, tell)
        else:
            checked = check_stored(pipeline, KeptHistory(pipeline, state_dir), state_dir, tell)
    if as_json:
        typer.echo(json.dumps(as_dict(checked), indent=2))
    else:
        print_check(checked)
    if checked.differences or not checked.compared:
        raise typer.Exit(1)
