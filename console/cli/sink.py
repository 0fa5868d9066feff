"""``sink``: a worker that writes down what is decided, where the keeper alone is too slow."""

from typing import Annotated

import typer

from console.cli.options import STATE_DIR, Bootstrap, Config, StateDir


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: sluicegate sink --broker localhost:9092 --slot 0")(sink)


def sink(
    config: Config = None,
    broker: Bootstrap = None,
    slot: Annotated[
        int, typer.Option("--slot", min=0, help="the worker's number, in logs and in the consumer group")
    ] = 0,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Run one sink worker: decisions and feature log as files for the keeper, until SIGTERM."""
    from console.entry import prepare

    config, bootstrap = prepare(config, broker, state_dir, "sink")
    from training.sink.run import SinkSettings, run

    run(SinkSettings(config, bootstrap, state_dir, slot))
