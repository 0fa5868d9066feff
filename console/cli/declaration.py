"""``check`` and ``schema``: the pipeline file by itself."""

import json
from pathlib import Path
from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, StateDir


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: sluicegate check config/payments.yaml")(check)
    app.command(epilog="Example: sluicegate schema > pipeline.schema.json")(schema)


def check(
    file: Annotated[Path | None, typer.Argument(help="pipeline file; left out, the usual one")] = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Check a pipeline file and say in a few lines what it declares; exit code 2 with every finding."""
    from console.declared import describe, summary
    from console.pipeline_file import find_config, open_pipeline
    from console.soundness import check_soundness

    config = find_config(file)
    pipeline = open_pipeline(config, state_dir)
    check_soundness(pipeline, config)
    told = summary(pipeline)
    typer.echo(json.dumps(told, indent=2) if as_json else describe(config, told))


def schema(
    file: Annotated[
        Path | None, typer.Argument(help="with --asyncapi: pipeline file; left out, the usual one")
    ] = None,
    asyncapi: Annotated[
        bool, typer.Option("--asyncapi", help="the pipeline's topics and messages instead, as AsyncAPI 3")
    ] = False,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Print the JSON Schema of the pipeline file, so that editors complete and check it.

    With --asyncapi print the topics and messages of a pipeline, for whoever writes producers and consumers.
    """
    if file is not None and not asyncapi:
        raise typer.BadParameter("a pipeline file is for --asyncapi; the JSON Schema is the same for all")
    if asyncapi:
        from console.pipeline_file import find_config, open_pipeline
        from streams.asyncapi import asyncapi as document

        printed = document(open_pipeline(find_config(file), state_dir))
    else:
        from feature_store.declaration.load import pipeline_schema

        printed = pipeline_schema()
    typer.echo(json.dumps(printed, indent=2))
