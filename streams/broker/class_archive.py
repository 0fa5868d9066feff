"""Keep Kafka's classes parsed between starts (class data sharing): halves the time of a start.

The archive is written when a Kafka that ran without one ends, once per cache and version of Java.
Java itself ignores an archive that does not fit its version or the jars.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Sharing:
    """Java's options for using or writing the archive, and whether Java ended in good order."""

    options: list[str]
    complete: bool = False


@contextmanager
def class_archive(archive: Path | None) -> Iterator[Sharing]:
    """Yield what Java needs; the block ends after Java does, `complete` set where it had time."""
    if archive is None:
        yield Sharing([])
    elif archive.is_file():
        yield Sharing(reading_options(archive))
    else:
        unfinished = archive.with_name(f"{archive.name}.{os.getpid()}")
        sharing = Sharing([f"-XX:ArchiveClassesAtExit={unfinished}"])
        try:
            yield sharing
            if sharing.complete and unfinished.is_file():
                unfinished.replace(archive)
        finally:
            unfinished.unlink(missing_ok=True)


def reading_options(archive: Path | None) -> list[str]:
    """Return Java's options for using the archive, none where there is none yet."""
    return [f"-XX:SharedArchiveFile={archive}"] if archive and archive.is_file() else []
