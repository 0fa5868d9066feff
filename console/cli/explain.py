"""``explain``: one decision, with its score reproduced."""

from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, Bootstrap, Config, StateDir


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: sluicegate explain EVENT_ID")(explain)


def explain(
    event_id: Annotated[str, typer.Argument(help="as the event carries it; `sluicegate tail` shows ids")],
    config: Config = None,
    broker: Bootstrap = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show why an event was decided so, and reproduce its score from what is stored.

    Exit code 1 where the score comes out different, or cannot be reproduced though a model gave one.
    """
    from console.explain.reproduce import reproduced
    from console.explain.reproduction import SCORELESS
    from console.explain.stored import stored
    from console.explain.versions import Versions
    from console.explain.view import ExplainedPage
    from console.local_run import find_bootstrap
    from console.pipeline_file import find_config, open_pipeline

    pipeline = open_pipeline(find_config(config), state_dir)
    explained, sound = ExplainedPage(pipeline), True
    versions = Versions(pipeline, state_dir, lambda: find_bootstrap(broker, state_dir, pipeline))
    for found in stored(pipeline, state_dir, event_id):
        made = reproduced(pipeline, found, versions.of)
        sound = sound and (made.equal is True or made.why == SCORELESS)
        if as_json:
            typer.echo(explained.as_json(found, made))
        else:
            explained.show(found, made)
    if not sound:
        raise typer.Exit(1)
