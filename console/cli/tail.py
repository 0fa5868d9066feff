"""``tail``: what is being decided."""

from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, Bootstrap, Config, StateDir


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: sluicegate tail --count 20 --follow --action decline")(tail)


def tail(
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="how many of the newest")] = 10,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="go on with what comes, until Ctrl-C")
    ] = False,
    action: Annotated[
        list[str] | None,
        typer.Option("--action", "-a", help="only approve, review or decline; may be given more than once"),
    ] = None,
    entity: Annotated[
        list[str] | None,
        typer.Option(
            "--entity",
            "-e",
            metavar="FIELD=VALUE",
            help="only events with this value of a passthrough field; may be given more than once",
        ),
    ] = None,
    config: Config = None,
    broker: Bootstrap = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the newest decisions, one a line; only what is committed is seen.

    The second column is how long after the event it was decided, by the pipeline's clock.
    """
    from itertools import chain

    from console.decision_line import DecisionLine
    from console.decisions_meant import decisions_meant
    from console.local_run import find_bootstrap
    from console.pipeline_file import find_config, open_pipeline
    from console.reading import following, newest

    pipeline = open_pipeline(find_config(config), state_dir)
    bootstrap, topic = find_bootstrap(broker, state_dir, pipeline), pipeline.topics.decisions
    meant = decisions_meant(pipeline, action or [], entity or [])
    line = DecisionLine(pipeline, as_json=as_json, meant=meant)
    messages = newest(bootstrap, topic, count, None if meant.everything else line.means)
    for message in chain(messages, following(bootstrap, topic) if follow else ()):
        if line.means(message):
            typer.echo(line.of(message))
