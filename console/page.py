"""Where tables are printed: as wide as the terminal, or a page where nobody looks at one."""

from __future__ import annotations

import sys

from rich.console import Console

_WIDTH = 160


def page() -> Console:
    """Standard output; numbers and names stay as they are."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
