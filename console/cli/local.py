"""``up`` and ``demo``: everything on this machine."""

from typing import Annotated

import typer

from console.cli.options import STATE_DIR, BrokerChoice, Config, StateDir

Scorers = Annotated[
    int | None,
    typer.Option(
        "--scorers", "-n", min=1, help="how many (default: 2; 1 where features need all partitions in one)"
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="show every log line, not only warnings")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: sluicegate up --config config/payments.yaml --scorers 2")(up)


def up(
    config: Config = None,
    broker: BrokerChoice = None,
    scorers: Scorers = None,
    state_dir: StateDir = STATE_DIR,
    verbose: Verbose = False,
) -> None:
    """Run broker, scorers, keeper and monitor on this machine until Ctrl-C."""
    from console.interrupts import StopAsked, stop_on_signals
    from console.pipeline_file import find_config
    from console.system import SystemSettings, running_system
    from console.up_notice import what_runs_where

    settings = SystemSettings(find_config(config), state_dir, broker, scorers, verbose)
    try:
        with stop_on_signals(), running_system(settings, typer.echo) as system:
            typer.echo(what_runs_where(system))
            system.run_until_stopped()
    except StopAsked:
        typer.echo("stopped")
