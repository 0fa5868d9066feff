"""Options that several commands share, spelt and explained once."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="pipeline file (default: config/payments.yaml here, else the shipped one)"
    ),
]
BrokerChoice = Annotated[
    str | None,
    typer.Option(
        "--broker",
        "-b",
        help="auto, kafka, embedded or host:port,… (default: $SLUICEGATE_BROKER, else the pipeline file's)",
    ),
]
Bootstrap = Annotated[
    str | None,
    typer.Option(
        "--broker",
        "-b",
        help="host:port,… (default: $SLUICEGATE_BROKER, else what runs in the state folder, else the "
        "pipeline file's)",
    ),
]
StateDir = Annotated[Path, typer.Option("--state-dir", help="where a run on this machine keeps its things")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Why = Annotated[str, typer.Option("--why", help="the reason; it is kept with the version")]
By = Annotated[str | None, typer.Option("--by", help="who decided it (default: the user of this machine)")]
Host = Annotated[
    str,
    typer.Option(
        "--host",
        help="address that API and console listen on; other than loopback only where there are users, or a "
        "declared proxy says who asks",
    ),
]

STATE_DIR = Path(".sluicegate")
