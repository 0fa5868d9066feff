"""``policy``: the rules, lists, thresholds and snoozes in force, changed while everything runs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from console.cli import policy_edits
from console.cli.options import STATE_DIR, AsJson, By, Config, StateDir, Why

File = Annotated[Path, typer.Argument(help="YAML, as `sluicegate policy show --yaml` prints it")]


def register(app: typer.Typer) -> None:
    """Add the group to ``app``."""
    group = typer.Typer(help="The policy in force; the keeper must run.", no_args_is_help=True)
    group.command(epilog="Example: sluicegate policy show --yaml > policy.yaml")(show)
    group.command("set", epilog='Example: sluicegate policy set policy.yaml --why "stricter at night"')(
        set_policy
    )
    group.command(epilog="Example: sluicegate policy check policy.yaml")(check)
    group.command(epilog="Example: sluicegate policy history")(history)
    policy_edits.register(group)
    group.command(epilog='Example: sluicegate policy reset --why "the file is right again"')(reset)
    app.add_typer(group, name="policy")


def show(
    as_yaml: Annotated[bool, typer.Option("--yaml", help="print a file that `policy set` takes")] = False,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the policy in force, in the order in which its parts are asked."""
    from console.policy_words import shown
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.policy()
    if as_yaml:
        from console.policy_file import written

        typer.echo(written(found), nl=False)
        return
    typer.echo(json.dumps(found, indent=2) if as_json else shown(found))


def set_policy(
    file: File, why: Why, by: By = None, state_dir: StateDir = STATE_DIR, as_json: AsJson = False
) -> None:
    """Put a whole policy in force, as the next version.

    Refused with the reason where a rule is unsound, or where the file's `version` is not in force any more.
    """
    from console.policy_file import read_policy

    version, content = read_policy(file)
    policy_edits.ask(state_dir, {"content": content, "base_version": version}, why, by, as_json=as_json)


def check(
    file: File, config: Config = None, state_dir: StateDir = STATE_DIR, as_json: AsJson = False
) -> None:
    """Check a policy file against the pipeline file; no keeper is asked. Exit code 2 with the finding."""
    from console.pipeline_file import find_config, open_pipeline
    from console.policy_file import check_policy

    content = check_policy(open_pipeline(find_config(config), state_dir), file)
    told = {"rules": len(content.rules), "lists": len(content.lists), "snoozes": len(content.snoozes)}
    words = ", ".join(f"{name} {count}" for name, count in told.items())
    typer.echo(json.dumps(told) if as_json else f"{file} is sound: {words}")


def history(state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """List every version of the policy, who made it and why, oldest first."""
    from console.policy_words import listed
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.policies()
    typer.echo(json.dumps(found, indent=2) if as_json else listed(found))


def reset(why: Why, by: By = None, state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """Put the decision section of the keeper's pipeline file in force, as the next version."""
    policy_edits.ask(state_dir, {"from_file": True}, why, by, as_json=as_json)
