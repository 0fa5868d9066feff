"""``tail``: what is being decided."""

from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, Bootstrap, Config, StateDir


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: sluicegate tail --count 20 --follow")(tail)


def tail(
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="how many of the newest")] = 10,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="go on with what comes, until Ctrl-C")
    ] = False,
    config: Config = None,
    broker: Bootstrap = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the newest decisions, one a line; only what is committed is seen."""
    from itertools import chain

    from console.decision_line import DecisionLine
    from console.local_run import find_bootstrap
    from console.pipeline_file import find_config, open_pipeline
    from console.reading import following, newest

    pipeline = open_pipeline(find_config(config), state_dir)
    bootstrap, topic = find_bootstrap(broker, state_dir, pipeline), pipeline.topics.decisions
    line = DecisionLine(pipeline, as_json=as_json)
    messages = newest(bootstrap, topic, count)
    for message in chain(messages, following(bootstrap, topic) if follow else ()):
        typer.echo(line.of(message))
