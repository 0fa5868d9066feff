"""``features``: what is declared, in words; computed for a file; checked against what was logged."""

import json

import typer

from console.cli.options import STATE_DIR, AsJson, Config, StateDir


def register(app: typer.Typer) -> None:
    """Add the group to ``app``."""
    group = typer.Typer(help="Features: list, compute for a file, check.", no_args_is_help=True)
    group.command("list", epilog="Example: sluicegate features list --config config/payments.yaml")(list_all)
    app.add_typer(group, name="features")


def list_all(config: Config = None, state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """List every feature with its hash and what it means in words."""
    from console.feature_table import as_dict, print_features
    from console.pipeline_file import find_config, open_pipeline
    from feature_store.declaration.words import explained

    pipeline = open_pipeline(find_config(config), state_dir)
    found = explained(pipeline)
    if as_json:
        typer.echo(
            json.dumps({"pipeline": pipeline.name, "features": [as_dict(each) for each in found]}, indent=2)
        )
    else:
        print_features(found)
