"""Serving API and console from a thread, on the loopback address unless told otherwise."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import uvicorn

from feature_store.errors import StorageError
from feature_store.formats import FIRST, refuse_newer
from feature_store.whole_file import write_atomically
from training.keeper.address import url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

ADDRESS_FILE = "keeper.json"


class Address(msgspec.Struct, frozen=True):
    """Where a running keeper answers, and the token that it asks for."""

    url: str
    token: str
    pid: int
    format: int = FIRST

    def __post_init__(self) -> None:
        """Raises NewerFormatError."""
        refuse_newer(self.format)


@contextmanager
def serving(
    application: Callable[[str], ASGIApp], host: str, port: int, state_dir: Path
) -> Iterator[Address]:
    """Serve ``application(token)`` until the block ends; its address stands in ``keeper.json`` meanwhile.

    Raises StorageError when the port is taken, or the host is no address of this machine.
    """
    token = secrets.token_urlsafe(32)
    listening = _listen(host, port)
    server = uvicorn.Server(
        uvicorn.Config(
            application(token),
            log_config=None,
            access_log=False,
            proxy_headers=False,  # who a proxy is, and what it may say, is declared
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
    )
    thread = threading.Thread(target=server.run, args=([listening],), name="api")
    thread.start()
    address = Address(url_of(host, listening.getsockname()[1]), token, os.getpid())
    file = state_dir / ADDRESS_FILE
    try:
        write_atomically(file, msgspec.json.encode(address), private=True)
        yield address
    finally:
        file.unlink(missing_ok=True)
        server.should_exit = True
        thread.join()
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise StorageError(f"{host!r} is no address to listen on: {error.strerror}") from error
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(128)  # from here on connections wait for the server instead of being refused
    except OSError as error:
        listening.close()
        raise StorageError(
            f"the keeper cannot listen on {host}:{port}: {error.strerror}; "
            "choose another with --port or --host"
        ) from error
    return listening
