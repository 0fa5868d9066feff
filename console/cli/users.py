"""``users``, ``console``, ``audit``: who may use the console, the local way in, and who changed what."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, StateDir
from feature_store.roles import RoleName

if TYPE_CHECKING:
    from console.users import Users

Name = Annotated[str, typer.Argument(help="letters, digits and . _ @ -")]
Role = Annotated[
    RoleName,
    typer.Option(help="viewer: sees all but personal data; analyst: also gives verdicts; operator: all"),
]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="read the password from standard input, one line")
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: sluicegate console --open")(console)
    group = typer.Typer(help="Who may log in to the console.", no_args_is_help=True)
    group.command(epilog="Example: sluicegate users add ann --role analyst")(add)
    group.command("list", epilog="Example: sluicegate users list")(list_users)
    group.command(epilog="Example: sluicegate users role ann operator")(role)
    group.command(epilog="Example: sluicegate users password ann")(password)
    group.command(epilog="Example: sluicegate users remove ann")(remove)
    app.add_typer(group, name="users")
    app.command(epilog="Example: sluicegate audit --last 50")(audit)


def console(
    open_it: Annotated[bool, typer.Option("--open", help="open it in the browser")] = False,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Print the link that lets you in to the console as an operator; the keeper must run.

    It is good on this machine alone, and as long as the keeper runs. Keep it to yourself.
    """
    from urllib.parse import urlsplit

    from console.listening import is_loopback
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        link = keeper.console_link
    if not is_loopback(str(urlsplit(link).hostname)):
        link = link.partition("/enter?")[0]
        typer.echo("the keeper listens on another address than loopback: log in as a user", err=True)
    typer.echo(link)
    if open_it:
        typer.launch(link)


def add(
    name: Name,
    role: Role = "viewer",
    password_stdin: FromStdin = False,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Add a user; the password is asked for, and only a hash of it is kept."""
    from console.who import who_asks

    _users(state_dir).add(name, role, _password(name, from_stdin=password_stdin), who_asks())
    typer.echo(f"{name} may log in as {role}")


def list_users(state_dir: StateDir = STATE_DIR, as_json: AsJson = False) -> None:
    """List the users with their roles."""
    found = [{"name": user.name, "role": user.role} for _, user in sorted(_users(state_dir).all().items())]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for user in found:
        typer.echo(f"{user['name']:<24} {user['role']}")
    if not found:
        typer.echo("nobody yet; add one with `sluicegate users add NAME`")


def role(
    name: Name,
    role: Annotated[RoleName, typer.Argument(help="viewer, analyst or operator")],
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Give a user another role; they have to log in again."""
    from console.who import who_asks

    _users(state_dir).set_role(name, role, who_asks())
    typer.echo(f"{name} is {role} now")


def password(name: Name, password_stdin: FromStdin = False, state_dir: StateDir = STATE_DIR) -> None:
    """Give a user another password; where they are logged in, they are not any more."""
    from console.who import who_asks

    _users(state_dir).set_password(name, _password(name, from_stdin=password_stdin), who_asks())
    typer.echo(f"{name} has another password now")


def remove(name: Name, state_dir: StateDir = STATE_DIR) -> None:
    """Remove a user; where they are logged in, they are not any more."""
    from console.who import who_asks

    _users(state_dir).remove(name, who_asks())
    typer.echo(f"{name} may not log in any more")


def audit(
    last: Annotated[int, typer.Option("--last", min=1, max=10_000, help="how many, the newest")] = 20,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show who changed what through the console and the commands, newest first; the keeper must run."""
    from console.audit_table import listed
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        found = keeper.audit(last)
    typer.echo(json.dumps(found, indent=2) if as_json else listed(found))


def _users(state_dir: StateDir) -> "Users":
    from console.users import Users

    return Users(state_dir)


def _password(name: str, *, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True))
