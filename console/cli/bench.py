"""``bench``: the project's own benchmarks, in a checkout; a wheel does not hold them."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from console.cli.options import AsJson

_CHECKOUT = Path(__file__).resolve().parents[2]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``, where there are benchmarks."""
    if (_CHECKOUT / "benchmarks" / "__main__.py").is_file():
        app.command(epilog="Example: sluicegate bench scorer --json")(bench)


def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="features, trees, step, scorer, latency, hot_swap, gpu; of scaling and limits: "
            "hops, entities, resume, backlog, soak, sink "
            "(default: features, trees, step, scorer, which has latency in it, and hot_swap)"
        ),
    ] = None,
    as_json: AsJson = False,
    delivery: Annotated[
        str | None,
        typer.Option(help="exactly_once or at_least_once, of the latency; for latency alone: both"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="few events, no other engines: scorer and latency only")
    ] = False,
    entities: Annotated[
        str | None, typer.Option(help="entities, resume: sizes of state, commas between; backlog: one")
    ] = None,
    events: Annotated[int | None, typer.Option(help="backlog: how many wait")] = None,
    partitions: Annotated[int | None, typer.Option(help="backlog: of the topics")] = None,
    minutes: Annotated[float | None, typer.Option(help="soak: how long")] = None,
    rate: Annotated[int | None, typer.Option(help="soak: events a second")] = None,
    store_memory: Annotated[
        int | None, typer.Option(help="soak: MiB that the keeper's database takes at most")
    ] = None,
) -> None:
    """Run the benchmarks; compare ratios of one run, not times of two."""
    command = [sys.executable, "-m", "benchmarks", *(names or [])]
    command += ["--delivery", delivery] if delivery else []
    limits = {
        "entities": entities,
        "events": events,
        "partitions": partitions,
        "minutes": minutes,
        "rate": rate,
        "store-memory": store_memory,
    }
    for name, value in limits.items():
        command += [f"--{name}={value}"] if value is not None else []
    command += ["--json"] * as_json + ["--quick"] * quick
    raise typer.Exit(subprocess.run(command, cwd=_CHECKOUT, check=False).returncode)
