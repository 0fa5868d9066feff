"""``models``: the versions that exist, and which of them acts."""

import json
from typing import Annotated

import typer

from console.cli.keys import keygen
from console.cli.model_files import card, export
from console.cli.options import STATE_DIR, AsJson, StateDir

Version = Annotated[str, typer.Argument(help="as `sluicegate models list` names it")]


def register(app: typer.Typer) -> None:
    """Add the group to ``app``."""
    group = typer.Typer(help="Model versions; the keeper must run.", no_args_is_help=True)
    group.command("list", epilog="Example: sluicegate models list --json")(list_versions)
    group.command(epilog="Example: sluicegate models show VERSION")(show)
    group.command(epilog="Example: sluicegate models live")(live)
    group.command(epilog="Example: sluicegate models card VERSION --open")(card)
    group.command(epilog="Example: sluicegate models export VERSION --out model.onnx")(export)
    group.command(epilog="Example: sluicegate models promote VERSION --canary 0.1")(promote)
    group.command(epilog="Example: sluicegate models rollback")(rollback)
    group.command(epilog="Example: sluicegate models shadow VERSION")(shadow)
    group.command(epilog="Example: sluicegate models unshadow VERSION")(unshadow)
    group.command(epilog="Example: sluicegate models keygen --out signing-key.pem")(keygen)
    app.add_typer(group, name="models")


def list_versions(state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """List every version that was trained, oldest first, with what became of it."""
    from console.model_words import listed
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.models()
    typer.echo(json.dumps(found, indent=2) if as_json else listed(found))


def show(version: Version, state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """Show all about one version: what became of it and when, its lineage, its metrics."""
    from console.model_words import shown
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.model(version)
    typer.echo(json.dumps(found, indent=2) if as_json else shown(found))


def live(state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """Show how well champions and shadows did on what they scored, as far as labels have matured."""
    from console.model_words import lived
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.summary()
    typer.echo(json.dumps(found, indent=2) if as_json else lived(found))


def promote(
    version: Version,
    canary: Annotated[
        float | None,
        typer.Option("--canary", help="act only for this share of the entities", min=0, max=1),
    ] = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Make a kept version the one that acts, for all or for a share of the entities, as a new release."""
    from console.model_words import released
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.promote(version, canary)
    typer.echo(json.dumps(found, indent=2) if as_json else released(found))


def rollback(state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """End the canary; where none runs, return to the version that acted before. A new release."""
    from console.model_words import released
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.rollback()
    typer.echo(json.dumps(found, indent=2) if as_json else released(found))


def shadow(version: Version, state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """Let a kept version score every event beside the one that acts, without acting, as a new release."""
    from console.model_words import released
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.shadow(version)
    typer.echo(json.dumps(found, indent=2) if as_json else released(found))


def unshadow(version: Version, state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """Let a shadow score no more, as a new release."""
    from console.model_words import released
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.unshadow(version)
    typer.echo(json.dumps(found, indent=2) if as_json else released(found))
