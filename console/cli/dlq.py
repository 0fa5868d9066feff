"""``dlq``: what was refused, and why."""

import json
from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, Bootstrap, Config, StateDir


def register(app: typer.Typer) -> None:
    """Add the group to ``app``."""
    group = typer.Typer(help="Dead letters: records that were refused.", no_args_is_help=True)
    group.command("list", epilog="Example: sluicegate dlq list --count 20")(list_newest)
    app.add_typer(group, name="dlq")


def list_newest(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="how many of the newest")] = 20,
    config: Config = None,
    broker: Bootstrap = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """List the newest dead letters with their reasons; their bodies are not shown, they may hold anything."""
    from console.dead_letter_line import fields, words
    from console.local_run import find_bootstrap
    from console.pipeline_file import find_config, open_pipeline
    from console.reading import newest

    pipeline = open_pipeline(find_config(config), state_dir)
    found = newest(find_bootstrap(broker, state_dir, pipeline), pipeline.topics.dead_letters, count)
    for message in found:
        typer.echo(json.dumps(fields(message)) if as_json else words(message))
    if not found and not as_json:
        typer.echo("no dead letters")
