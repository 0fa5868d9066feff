"""``up`` and ``demo``: everything on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from console.cli.options import STATE_DIR, BrokerChoice, Config, Host, StateDir

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
    app.command(epilog="Example: sluicegate reload   (after editing the pipeline file that `up` runs)")(
        reload
    )
    app.command(epilog="Example: sluicegate demo --report report.json")(demo)


def up(
    config: Config = None,
    broker: BrokerChoice = None,
    scorers: Scorers = None,
    state_dir: StateDir = STATE_DIR,
    verbose: Verbose = False,
    host: Host = "127.0.0.1",
) -> None:
    """Run broker, scorers, keeper and monitor on this machine until Ctrl-C."""
    from console.interrupts import StopAsked, stop_on_signals
    from console.pipeline_file import find_config
    from console.rollout import run_with_reloads
    from console.system import SystemSettings, running_system
    from console.up_notice import what_runs_where

    settings = SystemSettings(find_config(config), state_dir, broker, scorers, verbose, host)
    try:
        with stop_on_signals(), running_system(settings, typer.echo) as system:
            typer.echo(what_runs_where(system))
            run_with_reloads(system, settings, typer.echo)
    except StopAsked:
        typer.echo("stopped")


def reload(
    state_dir: StateDir = STATE_DIR,
    patience: Annotated[float, typer.Option("--patience", min=1.0, help="seconds to wait for it")] = 600.0,
) -> None:
    """Roll a changed pipeline file out to what `up` runs, without losing an event or any state.

    What cannot change while it runs, or what a live model or the policy in force does not fit, is refused
    with the reason before anything stops. Then the processes are started again one after the other: the
    keeper, every scorer, the others. New features are filled from the stored history.
    """
    from console.noting import note_done
    from console.rollout import reload as roll_out

    seconds = roll_out(state_dir, patience)
    note_done(state_dir, "reload", "pipeline file")
    typer.echo(f"everything runs on the changed pipeline file ({seconds:.0f} s)")


def demo(
    events: Annotated[int, typer.Option("--events", min=1, help="about how many")] = 108_000,
    days: Annotated[int, typer.Option("--days", min=1, help="of stream time")] = 12,
    seconds: Annotated[float, typer.Option("--seconds", min=1.0, help="of real time for the stream")] = 100.0,
    scorers: Scorers = None,
    broker: BrokerChoice = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="the summary as JSON", metavar="FILE")
    ] = None,
    no_view: Annotated[bool, typer.Option("--no-view", help="plain lines, no live picture")] = False,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Show the whole loop in a few minutes: days of payments, decided and learned from.

    Runs everything on this machine in a fresh folder, on the shipped pipeline and its cron line, with the
    stream's clock instead of the wall's. Afterwards it reads the topics back: exit code 1 if an event was
    lost or decided twice, or if fewer than two models were published.

    Latency is measured by a process of its own: from Kafka's record time of an event until a reader that sees
    committed records only holds the decision.
    """
    from rich.console import Console

    from console.demo.run import run_demo
    from console.demo.settings import DemoSettings
    from console.demo.view import view_for
    from console.interrupts import StopAsked, stop_on_signals
    from console.pipeline_file import find_config

    settings = DemoSettings(
        source=find_config(None),
        home=state_dir / "demo",
        report=report or state_dir / "demo-report.json",
        events=events,
        days=days,
        seconds=seconds,
        scorers=scorers,
        broker=broker,
    )
    try:
        with stop_on_signals(), view_for(Console(), wanted=not no_view) as view:
            run_demo(settings, view)
    except StopAsked:
        typer.echo("stopped before the end: no verdict")
        raise typer.Exit(130) from None
