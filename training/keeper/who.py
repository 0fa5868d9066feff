"""Who asks: the user of this machine, told by the client and noted by the keeper."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from starlette.requests import Request

_HEADER = "x-sluicegate-who"
_LONGEST = 200


def who_asks() -> str:
    """The name of the user; the number, where the machine has no name for it, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def who_header(who: str) -> dict[str, str]:
    """How a client tells it; whoever has the keeper's token may act for anybody, so it is believed."""
    return {_HEADER: quote(who)}


def who_of(request: Request) -> str:
    """Who a request says that it comes from."""
    told = unquote(request.headers.get(_HEADER, "")).strip()[:_LONGEST]
    return told if told and told.isprintable() else "unknown"
