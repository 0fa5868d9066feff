"""``topics``: creating and checking what a pipeline needs on Kafka."""

import json

import typer

from console.cli.options import STATE_DIR, AsJson, Bootstrap, Config, StateDir


def register(app: typer.Typer) -> None:
    """Add the group to ``app``."""
    group = typer.Typer(help="Create or check the pipeline's topics.", no_args_is_help=True)
    group.command(epilog="Example: sluicegate topics create --broker localhost:9092")(create)
    group.command(epilog="Example: sluicegate topics check --broker localhost:9092 --json")(check)
    app.add_typer(group, name="topics")


def create(
    config: Config = None, broker: Bootstrap = None, state_dir: StateDir = STATE_DIR, as_json: AsJson = False
) -> None:
    """Create the topics that are missing; those that exist are left as they are."""
    from console.local_run import find_bootstrap
    from console.pipeline_file import find_config, open_pipeline
    from streams.kafka import ensure_topics, pipeline_topics

    pipeline = open_pipeline(find_config(config), state_dir)
    wanted = pipeline_topics(pipeline)
    created = ensure_topics(find_bootstrap(broker, state_dir, pipeline), wanted)
    if as_json:
        typer.echo(json.dumps({"created": created, "topics": [spec.name for spec in wanted]}))
    else:
        typer.echo(f"created: {', '.join(created)}" if created else "every topic is there already")


def check(
    config: Config = None, broker: Bootstrap = None, state_dir: StateDir = STATE_DIR, as_json: AsJson = False
) -> None:
    """Say which topics are missing or have another number of partitions (exit code 1)."""
    from console.local_run import find_bootstrap
    from console.pipeline_file import find_config, open_pipeline
    from console.topic_check import found_topics

    pipeline = open_pipeline(find_config(config), state_dir)
    found = found_topics(find_bootstrap(broker, state_dir, pipeline), pipeline)
    if as_json:
        typer.echo(json.dumps([topic.as_dict() for topic in found], indent=2))
    else:
        for topic in found:
            typer.echo(f"{'ok  ' if topic.fits else 'BAD '} {topic.name}: {topic.words}")
    if not all(topic.fits for topic in found):
        raise typer.Exit(1)
