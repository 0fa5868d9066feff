"""``whatif``: stored decisions made again, under another policy or by other costs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, StateDir

_EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: sluicegate whatif --decline 0.9 --cost review=3")(whatif)


def whatif(
    policy: Annotated[
        Path | None, typer.Option("--policy", help="a policy as `sluicegate policy set` takes it")
    ] = None,
    pipeline_file: Annotated[
        Path | None, typer.Option("--pipeline", help="a pipeline file: its decision section is tried")
    ] = None,
    review: Annotated[
        float | None, typer.Option("--review", min=0, max=1, help="review from this score on, not by cost")
    ] = None,
    decline: Annotated[
        float | None, typer.Option("--decline", min=0, max=1, help="decline from this score on, not by cost")
    ] = None,
    cost: Annotated[
        list[str] | None, typer.Option("--cost", help="a key of decision.costs: review=3; may be repeated")
    ] = None,
    since: Annotated[datetime | None, typer.Option("--since", help="first event time, UTC")] = None,
    until: Annotated[datetime | None, typer.Option("--until", help="event times before this, UTC")] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="pipeline file (default: of what runs in the state folder)"),
    ] = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Decide stored history again, by the scores of then: money, recall, false declines and queue, compared.

    Starts from the policy in force; what is given replaces it. The keeper may run or not. Nothing changes.
    """
    from console.local_run import config_of_run
    from console.logs import only_warnings
    from console.pipeline_file import find_config, open_pipeline
    from console.policy_file import check_policy
    from console.progress import progress_bar
    from console.whatif_table import as_dict, costs_of, print_comparison
    from training.history.backfill import scratch
    from training.history.keeper import KeptHistory
    from training.keeper.store import existing_store
    from training.whatif.candidate import Change, candidate
    from training.whatif.compare import compare

    only_warnings()
    stretch = _stretch(since, until)
    existing_store(state_dir)  # before anything is written there
    pipeline = open_pipeline(find_config(config or config_of_run(state_dir)), state_dir)
    other = open_pipeline(pipeline_file, state_dir) if pipeline_file else None
    change = Change(
        decision=other,
        content=check_policy(other or pipeline, policy) if policy else None,
        review=review,
        decline=decline,
        costs=costs_of(cost or []),
    )
    with progress_bar() as tell, scratch(state_dir) as folder:
        tell("reading", 0, 0)
        KeptHistory(pipeline, state_dir).export(folder)
        tried = candidate(pipeline, folder, change)
        found = compare(pipeline, tried, folder, *stretch, tell)
    if as_json:
        typer.echo(json.dumps(as_dict(found), indent=2))
    else:
        print_comparison(found)


def _stretch(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    from console.sending import as_utc
    from feature_store.errors import ConfigError
    from feature_store.units import to_micros

    first, end = as_utc(since) or _EVER[0], as_utc(until) or _EVER[1]
    if first >= end:
        raise ConfigError(f"--since {first:%F %T} is not before --until {end:%F %T}: no event lies between")
    return to_micros(first), to_micros(end)
