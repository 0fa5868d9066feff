"""The commands, in the order in which help shows them. Nothing heavy is imported before a command runs."""

import importlib.metadata
from typing import Annotated

import typer

from console.cli import (
    backfill,
    backtest,
    backup,
    bench,
    declaration,
    dlq,
    explain,
    features,
    forget,
    local,
    models,
    policy,
    processes,
    sink,
    sources,
    tail,
    topics,
    train,
    users,
    whatif,
)

app = typer.Typer(
    name="sluicegate",
    help="Streaming decisions on Kafka that retrain themselves.",
    epilog="Start here: sluicegate demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(importlib.metadata.version("sluicegate"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Streaming decisions on Kafka that retrain themselves."""


for group in (
    local, users, sources, backfill, features, tail, explain, dlq, policy, models, train, backtest, whatif,
    topics, declaration, processes, sink, backup, forget, bench,
):  # fmt: skip
    group.register(app)
