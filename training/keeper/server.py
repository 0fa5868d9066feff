"""Serving the local API from a thread, on the loopback address alone."""

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

ADDRESS_FILE = "keeper.json"

_HOST = "127.0.0.1"


class Address(msgspec.Struct, frozen=True):
    """Where a running keeper answers, and the token that it asks for."""

    url: str
    token: str
    pid: int


@contextmanager
def serving(application: Callable[[str], ASGIApp], port: int, state_dir: Path) -> Iterator[Address]:
    """Serve ``application(token)`` until the block ends; its address stands in ``keeper.json`` meanwhile.

    Raises StorageError when the port is taken.
    """
    token = secrets.token_urlsafe(32)
    listening = _listen(port)
    server = uvicorn.Server(
        uvicorn.Config(
            application(token),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
    )
    thread = threading.Thread(target=server.run, args=([listening],), name="api")
    thread.start()
    address = Address(f"http://{_HOST}:{listening.getsockname()[1]}", token, os.getpid())
    file = state_dir / ADDRESS_FILE
    try:
        _write_private(file, msgspec.json.encode(address))
        yield address
    finally:
        file.unlink(missing_ok=True)
        server.should_exit = True
        thread.join()
        listening.close()


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
        listening.listen(128)  # from here on connections wait for the server instead of being refused
    except OSError as error:
        listening.close()
        raise StorageError(
            f"the keeper's API cannot listen on {_HOST}:{port}: {error.strerror}; choose another with --port"
        ) from error
    return listening


def _write_private(file: Path, content: bytes) -> None:
    aside = file.with_name(f".{file.name}.part")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
    aside.replace(file)
