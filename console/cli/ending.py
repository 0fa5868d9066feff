"""How a command ends: what went wrong is told in one line per finding."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from feature_store.errors import SluicegateError

if TYPE_CHECKING:
    from collections.abc import Iterator


def tell(error: SluicegateError) -> int:
    """Say it on stderr; the exit code."""
    for finding in str(error).splitlines():
        sys.stderr.write(f"sluicegate: {finding}\n")
    return error.exit_code


@contextmanager
def ended_at_once() -> Iterator[None]:
    """End the process after what is inside, without tearing down the interpreter and the libraries: a client
    that stays in its group (``streams.kafka.stay``) has threads that use them.
    """
    try:
        yield
    except SluicegateError as error:
        code = tell(error)
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
