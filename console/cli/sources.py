"""``simulate`` and ``replay``: events onto Kafka."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, Bootstrap, Config, StateDir

Rate = Annotated[
    float | None, typer.Option("--rate", help="events per second (default: as fast as Kafka takes them)")
]
Speed = Annotated[
    float | None, typer.Option("--speed", help="stream seconds per real second: 86400 is a day a second")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="stop after this many events")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: sluicegate simulate --days 2 --rate 500")(simulate)
    app.command(epilog="Example: sluicegate replay past.parquet --config my.yaml --speed 3600")(replay)


def simulate(
    days: Annotated[int, typer.Option("--days", min=1, help="length of the stream")] = 1,
    events_per_day: Annotated[int, typer.Option("--events-per-day", min=1, help="on average")] = 20_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="the same seed and start: the same stream")] = 7,
    start: Annotated[
        datetime | None,
        typer.Option("--start", help="the first instant, UTC (default: so long ago that it ends now)"),
    ] = None,
    drift_day: Annotated[
        int | None,
        typer.Option(
            "--drift-day",
            min=0,
            help="from this day on (the first is 0) everybody pays much more than before",
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="write the labelled events to this Parquet file, not to Kafka")
    ] = None,
    rate: Rate = None,
    speed: Speed = None,
    limit: Limit = None,
    config: Config = None,
    broker: Bootstrap = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Send a simulated payment stream with its outcomes to Kafka, or write it to a file."""
    from console.sending import Sending, stream_start, told
    from streams.sources import Scenario, run_simulate, write_parquet

    scenario = Scenario(
        days=days,
        events_per_day=events_per_day,
        seed=seed,
        start=stream_start(start, days),
        drift_day=drift_day,
    )
    if to is not None:
        if (rate, speed, limit) != (None, None, None):
            raise typer.BadParameter("--rate, --speed and --limit are for Kafka; --to writes every event")
        typer.echo(told({"file": str(to), "events": write_parquet(scenario, to)}, as_json=as_json))
        return
    with Sending(config, broker, state_dir, as_json=as_json) as sending:
        sending.result = run_simulate(
            *sending.target, scenario, rate=rate, speed=speed, limit=limit, **sending.hooks
        )


def replay(
    file: Annotated[Path, typer.Argument(help="Parquet or CSV, mapped by event.file of the pipeline file")],
    since: Annotated[datetime | None, typer.Option("--since", help="first event time, UTC")] = None,
    until: Annotated[datetime | None, typer.Option("--until", help="event times before this, UTC")] = None,
    rate: Rate = None,
    speed: Speed = None,
    limit: Limit = None,
    config: Config = None,
    broker: Bootstrap = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Stream a file of past events to Kafka, with outcomes released when they would have been known."""
    from console.sending import Sending, as_utc
    from streams.sources import run_replay

    with Sending(config, broker, state_dir, as_json=as_json) as sending:
        sending.result = run_replay(
            *sending.target,
            file,
            since=as_utc(since),
            until=as_utc(until),
            rate=rate,
            speed=speed,
            limit=limit,
            **sending.hooks,
        )
