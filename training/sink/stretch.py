"""A stretch: what stands on one partition of a topic from one offset to another, as files.

Its name says of which topic and partition it is, where it begins and ends, and which process wrote it:
``decisions-00003-000000000012000-000000000015500-9f2c41aa``. Its Parquet files, one per table of the store,
have this name and the table's; ``.json`` is its manifest, which is written last: with it the stretch is
whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from feature_store.errors import StorageError
from feature_store.formats import NewerFormatError, check_format

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FORMAT = 1
LOG_OFFSET = "sluicegate.log_offset"
"""In files of the feature log: the message that a row came in. No declared field has a dot in its name."""

Kind = Literal["features", "decisions"]
KINDS: tuple[Kind, ...] = ("features", "decisions")

_NAME = re.compile(r"\.?((features|decisions)-(\d{5,9})-(\d{15,19})-(\d{15,19})-([0-9a-f]{8}))\.")


class Name(NamedTuple):
    """Everything below ``next`` from ``first`` on is in it."""

    kind: Kind
    partition: int
    first: int
    next: int
    writer: str
    """Eight hexadecimal digits, of one process: two that write the same stretch do not meet."""

    def __str__(self) -> str:
        return f"{self.kind}-{self.partition:05d}-{self.first:015d}-{self.next:015d}-{self.writer}"


class Part(msgspec.Struct, frozen=True):
    """One Parquet file: what it has, how many bytes it is long, and their SHA-256, where that was kept."""

    rows: int
    size: int
    columns: list[str]
    sha256: str = ""


class LogMessage(msgspec.Struct, frozen=True):
    """A message of the feature log: the row of ``batches`` that stands for it."""

    partition: int
    log_offset: int
    source_topic: str
    first_offset: int
    next_offset: int
    row_count: int
    duplicates: int
    dead_letters: int
    release_epoch: int
    policy_offset: int
    definitions: str
    claim: int
    claimed_at: int


class Traced(msgspec.Struct, frozen=True):
    """The trace context of an event that more may be said of."""

    source_partition: int
    source_offset: int
    trace: list[str]


class Stretch(msgspec.Struct, frozen=True):
    """The manifest: what the files hold, and what the keeper must know without reading them.

    ``newest`` is when the newest event in it arrived (us), ``late`` whether one was late, ``said`` the
    columns that all outcome deltas in it came with.
    """

    cluster: str
    topic: str
    parts: dict[str, Part]
    messages: list[LogMessage] = []
    definitions: dict[str, dict[str, str]] = {}
    traces: list[Traced] = []
    said: list[str] = []
    newest: int = 0
    late: bool = False
    format: int = FORMAT


def name_of(file: str) -> Name | None:
    """The stretch that a file belongs to, also one half written; None for any other file."""
    found = _NAME.match(file)
    if found is None:
        return None
    _, kind, partition, first, following, writer = found.groups()
    return Name(
        "features" if kind == "features" else "decisions", int(partition), int(first), int(following), writer
    )


def read_manifest(path: Path) -> Stretch:
    """The stretch whose manifest this is. Raises StorageError where it is none that can be taken."""
    try:
        content = path.read_bytes()
        check_format(content, FORMAT)
        return msgspec.json.decode(content, type=Stretch)
    except NewerFormatError as error:
        raise StorageError(f"{path}: {error}") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise StorageError(
            f"{path}: no manifest of a stretch: {error}; remove it: a sink worker writes the stretch again"
        ) from error


def covered(stretches: Iterable[Name], at: int) -> int:
    """How far the stretches of one partition reach from ``at`` on without a gap."""
    for stretch in sorted(stretches, key=lambda each: each.first):
        if stretch.first > at:
            break
        at = max(at, stretch.next)
    return at
