"""Where the keeper may listen: on this machine alone, unless it can ask others who they are."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from console.users import Users
from feature_store.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.console import ConsoleSpec
    from feature_store.declaration.pipeline import Pipeline

LOOPBACK = "127.0.0.1"


def check_host(host: str, pipeline: Pipeline, state_dir: Path) -> None:
    """Raise ConfigError where others than this machine could come, and nobody but it could be let in."""
    proxy = pipeline.console.proxy
    if is_loopback(host) or (proxy is not None and proxy.user_header is not None) or Users(state_dir).all():
        return
    raise ConfigError(
        f"--host {host}: other machines could reach the console, but there is nobody whom it could let in; "
        "add a user with `sluicegate users add NAME --role operator`, or declare console.proxy.user_header"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_of(host: str, spec: ConsoleSpec) -> frozenset[str] | None:
    """The names that a browser may know the console by, beside those of loopback; None: any."""
    if spec.hosts:
        return frozenset(name.lower() for name in spec.hosts)
    return frozenset() if is_loopback(host) else None
