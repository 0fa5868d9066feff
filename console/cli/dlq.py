"""``dlq``: what was refused, and why; and sending it again."""

import json
from datetime import datetime
from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, Bootstrap, Config, StateDir

Reasons = Annotated[
    list[str] | None, typer.Option("--reason", "-r", help="only this reason; may be given more than once")
]
Partitions = Annotated[
    list[int] | None,
    typer.Option("--partition", min=0, help="only from this partition of events; repeatable"),
]
Since = Annotated[
    datetime | None, typer.Option("--since", help="only records that Kafka took then or later, UTC")
]
Until = Annotated[datetime | None, typer.Option("--until", help="only records that Kafka took before, UTC")]
EventId = Annotated[str | None, typer.Option("--event-id", help="only letters whose bytes hold this id")]


def register(app: typer.Typer) -> None:
    """Add the group to ``app``."""
    group = typer.Typer(help="Dead letters: records that were refused.", no_args_is_help=True)
    group.command("list", epilog="Example: sluicegate dlq list --reason late_event --count 20")(list_newest)
    group.command("redrive", epilog="Example: sluicegate dlq redrive --reason late_event --dry-run")(redrive)
    app.add_typer(group, name="dlq")


def list_newest(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="how many of the newest")] = 20,
    reason: Reasons = None,
    partition: Partitions = None,
    since: Since = None,
    until: Until = None,
    event_id: EventId = None,
    config: Config = None,
    broker: Bootstrap = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """List the newest dead letters with their reasons; their bodies are not shown, they may hold anything.

    A line begins with where the letter stands, PARTITION/OFFSET, which `redrive --at` takes.
    """
    from console.dead_letter_line import fields, words
    from console.dead_letters import EventIds, newest_letters
    from console.local_run import find_bootstrap
    from console.pipeline_file import find_config, open_pipeline
    from console.selecting import selection

    pipeline = open_pipeline(find_config(config), state_dir)
    chosen = selection(reason, partition, since, until, event_id, [])
    ids = EventIds(pipeline.event.id)
    bootstrap = find_bootstrap(broker, state_dir, pipeline)
    found = newest_letters(bootstrap, pipeline.topics.dead_letters, chosen, ids, count)
    for letter in found:
        typer.echo(json.dumps(fields(letter, ids(letter))) if as_json else words(letter, ids(letter)))
    if not found and not as_json:
        typer.echo("no dead letters" if chosen.everything else "no dead letters are like that")


def redrive(
    reason: Reasons = None,
    at: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="PARTITION/OFFSET", help="the letter that stands there; repeatable"),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="every letter, where nothing narrows it")] = False,
    partition: Partitions = None,
    since: Since = None,
    until: Until = None,
    event_id: EventId = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be sent, and send nothing")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
    config: Config = None,
    broker: Bootstrap = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Send dead letters to the events topic again: same partition, key, bytes and headers.

    Each is decided as if it were new, or refused again with a letter of its own. Sent again after it was
    decided, it is a duplicate for as long as its id is remembered (decision.duplicates.window). The exit code
    is 1 where Kafka refused some.
    """
    from console.dead_letters import EventIds
    from console.local_run import find_bootstrap
    from console.noting import note_done
    from console.pipeline_file import find_config, open_pipeline
    from console.progress import progress_bar
    from console.redrive import choose, send
    from console.redrive_words import asked, figures, result_words
    from console.selecting import selection

    chosen = selection(reason, partition, since, until, event_id, at or [])
    if chosen.everything and not everything:
        raise typer.BadParameter(
            "say which: --reason, --at, --event-id, --partition, --since, --until, or --all"
        )
    pipeline = open_pipeline(find_config(config), state_dir)
    bootstrap = find_bootstrap(broker, state_dir, pipeline)
    with progress_bar() as tell:
        choice = choose(bootstrap, pipeline, chosen, EventIds(pipeline.event.id), tell)
    if not as_json:
        typer.echo(asked(choice, pipeline.whole.topics.events))
    sent = None
    if choice.going and not dry_run:
        if not yes:
            count = len(choice.going)
            typer.confirm(f"Send {count} record{'s' * (count > 1)}?", abort=True, err=True)
        with progress_bar() as tell:
            sent = send(bootstrap, pipeline, choice, tell)
        unnoted = note_done(state_dir, "redrive", chosen.in_words, figures(choice, sent))
        if unnoted is not None:
            typer.echo(unnoted, err=True)
    if as_json:
        typer.echo(json.dumps(figures(choice, sent)))
    elif sent is not None:
        typer.echo(result_words(sent))
    if sent is not None and sent.refused:
        raise typer.Exit(1)
