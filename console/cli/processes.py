"""The processes one by one, as `up` and containers start them."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from console.cli.ending import ended_at_once
from console.cli.options import STATE_DIR, Bootstrap, Config, Host, StateDir

Slot = Annotated[
    int,
    typer.Option("--slot", min=0, help="the worker's number; no two of a kind that run may share one"),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65_535,
        help="of this process's metrics for Prometheus; 0: none (default: by serving.metrics_port)",
    ),
]
MetricsHost = Annotated[
    str, typer.Option("--metrics-host", help="address to listen on; metrics ask for no password")
]
SigningKey = Annotated[
    Path | None,
    typer.Option(
        "--signing-key",
        envvar="SLUICEGATE_SIGNING_KEY",
        help="file of the Ed25519 key that signs models and releases (sluicegate models keygen)",
    ),
]
MonitorUrl = Annotated[
    str | None,
    typer.Option("--monitor-url", help="where the monitor answers, for the console's live figures"),
]
_LOOPBACK = "127.0.0.1"
_NICENESS = 10
"""An explanation can wait for a decision."""


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: sluicegate scorer --broker localhost:9092 --slot 0")(scorer)
    app.command(epilog="Example: sluicegate keeper --broker localhost:9092")(keeper)
    app.command(epilog="Example: sluicegate explainer --broker localhost:9092")(explainer)
    app.command(epilog="Example: sluicegate monitor --broker localhost:9092")(monitor)


def scorer(
    config: Config = None,
    broker: Bootstrap = None,
    slot: Slot = 0,
    stage: Annotated[
        int | None,
        typer.Option("--stage", min=0, help="of a pipeline with features.staged: which one, from 0"),
    ] = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = _LOOPBACK,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Run one scorer: events in, decisions out, until SIGTERM."""
    from console.entry import prepare

    config, bootstrap = prepare(config, broker, state_dir, "scorer", stage)
    from streams.scorer import ScorerSettings, run

    with ended_at_once():
        run(ScorerSettings(config, bootstrap, slot, state_dir, metrics_port, stage, metrics_host))


def keeper(
    config: Config = None,
    broker: Bootstrap = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="of API and console")] = 8_321,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = _LOOPBACK,
    signing_key: SigningKey = None,
    monitor_url: MonitorUrl = None,
    host: Host = _LOOPBACK,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Run the keeper: it stores, retrains, publishes models, serves the console, until SIGTERM."""
    from console.entry import prepare

    config, bootstrap = prepare(config, broker, state_dir, "keeper")
    from console.listening import check_host
    from console.web import console_pages
    from feature_store.declaration.load import load_pipeline
    from training.keeper.parts import KeeperSettings
    from training.keeper.service import run

    check_host(host, load_pipeline(config), state_dir)
    settings = KeeperSettings(
        config, bootstrap, state_dir, port, metrics_port, metrics_host, signing_key, host
    )
    run(settings, pages=partial(console_pages, monitor_url=monitor_url))


def explainer(
    config: Config = None,
    broker: Bootstrap = None,
    slot: Slot = 0,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = _LOOPBACK,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Run one explainer: exact reasons of the decisions that stop something, until SIGTERM."""
    from console.entry import prepare

    config, bootstrap = prepare(config, broker, state_dir, "explainer")
    from streams.explainer import ExplainerSettings, run

    run(ExplainerSettings(config, bootstrap, slot, _NICENESS, metrics_port, metrics_host))


def monitor(
    config: Config = None,
    broker: Bootstrap = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="of the web view")] = 8_322,
    host: Annotated[
        str, typer.Option("--host", help="address to listen on; the view asks for no password")
    ] = "127.0.0.1",
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Run the monitor: live metrics and their web view, until SIGTERM."""
    from console.entry import prepare

    config, bootstrap = prepare(config, broker, state_dir, "monitor")
    from streams.monitor import MonitorSettings, run

    run(MonitorSettings(config, bootstrap, port, state_dir, host))
