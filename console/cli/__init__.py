"""The command line: ``sluicegate``."""

from __future__ import annotations

import os
import sys

from console.cli.ending import tell
from console.lifeline import hold_lifeline
from feature_store.absent import absent
from feature_store.errors import SluicegateError

__all__ = ["main"]


def main() -> None:
    """Run one command; the exit code is 0, or that of the error, which is told in one line per finding."""
    hold_lifeline()
    with absent("rich"):  # for a console of structlog's that nobody here sees
        import structlog  # noqa: F401
    from console.cli.app import app

    try:
        app(prog_name="sluicegate")
    except SluicegateError as error:
        sys.exit(tell(error))
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from saying so again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        from streams.kafka import plain_absence, plain_refusal

        told = plain_refusal(error) or plain_absence(error)
        if told is None:
            raise
        sys.exit(tell(told))
