"""Progress of long work, on a terminal only."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.history.progress import OnProgress


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """A function to be told (what is done, how much of it, of how much); 0 in all: nobody knows.

    It draws on standard error, a line per kind of work, and nothing where that is no terminal.
    """
    if not sys.stderr.isatty():
        yield lambda what, done, total: None  # noqa: ARG005
        return
    tasks: dict[str, TaskID] = {}
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )

    def tell(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=total or None)
        bar.update(tasks[what], completed=done, total=total or None)

    with bar:
        yield tell
