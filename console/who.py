"""Who sits at the keyboard."""

from __future__ import annotations

import getpass
import os


def who_asks() -> str:
    """The name of the user; the number, where the machine has no name for it, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
