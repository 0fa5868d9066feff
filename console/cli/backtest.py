"""``backtest``: what models would have done, fitted on what was known at the time."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from console.cli.options import STATE_DIR, AsJson, Config, StateDir


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: sluicegate backtest --events past.parquet --first-test 2026-03-01")(backtest)


def backtest(
    events: Annotated[
        Path, typer.Option("--events", help="Parquet or CSV, mapped by event.file of the pipeline file")
    ],
    first_test: Annotated[
        datetime, typer.Option("--first-test", help="when the first tested stretch begins, UTC")
    ],
    folds: Annotated[int, typer.Option("--folds", min=1, help="how many, each later by training.judged")] = 1,
    algorithm: Annotated[
        Literal["lightgbm", "xgboost"] | None,
        typer.Option("--algorithm", help="in place of training.algorithm, without training.parameters"),
    ] = None,
    drop_known_entities: Annotated[
        bool | None,
        typer.Option(
            "--drop-known-entities/--keep-known-entities",
            help="do not test events of a partition key that was known to be defrauded when the day began "
            "(default: training.backtest.drop_known_entities)",
        ),
    ] = None,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="train once: the first fold's model is tested on every fold")
    ] = False,
    config: Config = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Backtest on past events, with retraining as it would have happened.

    Each fold is fitted on training.history up to training.gap before its test (at least the maturity of
    outcomes), with the labels known by then, and tested on the training.judged that follows.
    """
    from console.backtest_table import as_dict, print_backtest
    from console.logs import only_warnings
    from console.pipeline_file import find_config, open_pipeline
    from console.progress import progress_bar
    from console.sending import as_utc
    from feature_store.units import to_micros
    from training.backtest.run import backtest_file, under

    only_warnings()
    pipeline = under(open_pipeline(find_config(config), state_dir), algorithm, drop_known_entities)
    with progress_bar() as tell:
        found = backtest_file(pipeline, events, to_micros(as_utc(first_test)), folds, tell, frozen=frozen)
    if as_json:
        typer.echo(json.dumps(as_dict(found), indent=2))
    else:
        print_backtest(found)
