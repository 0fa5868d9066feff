"""The folder between sink workers and keeper; it alone says what was written and what was taken.

1. A worker writes the files of a stretch, and its manifest last.
2. The keeper takes the stretches that begin at or below its own offset and reach beyond it, in one
   transaction with that offset.
3. Then it tells in ``taken.json`` how far it is,
4. and removes what lies below.

A kill anywhere leaves files that are removed later or taken from the keeper's offset on. What is missing
after that offset is written again, by whoever has the partition.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.errors import StorageError
from feature_store.formats import NewerFormatError, check_format
from feature_store.whole_file import write_atomically
from training.sink.stretch import FORMAT, KINDS, Kind, Name, Part, Stretch, name_of, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

TAKEN = "taken.json"
_MANIFEST = "json"
_ROW_GROUP = 122_880  # DuckDB's own
At = tuple[Kind, int]


class Taken(msgspec.Struct, frozen=True):
    """How far the keeper is: kind -> partition -> next offset."""

    cluster: str
    offsets: dict[Kind, dict[int, int]]
    format: int = FORMAT


class SinkFolder:
    """Used by one thread of each process."""

    def __init__(self, path: Path) -> None:
        """Make it where there is none. Raises StorageError."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"training.sink.folder: {path}: cannot be made: {error}") from error

    def taken(self) -> Taken | None:
        """How far the keeper is; None before its first start. Raises StorageError."""
        path = self.path / TAKEN
        try:
            content = path.read_bytes()
            check_format(content, FORMAT)
            return msgspec.json.decode(content, type=Taken)
        except FileNotFoundError:
            return None
        except NewerFormatError as error:
            raise StorageError(f"{path}: {error}") from error
        except (OSError, msgspec.MsgspecError) as error:
            raise StorageError(f"{path}: {error}; the keeper writes it anew when it starts") from error

    def tell_taken(self, taken: Taken) -> None:
        """Say how far the keeper is; what is removed afterwards is missed by nobody."""
        write_atomically(self.path / TAKEN, msgspec.json.encode(taken))
        self._settle()

    def stretches(self) -> dict[At, list[Name]]:
        """The whole stretches of every partition. What was taken before the call may be among them."""
        found: dict[At, list[Name]] = defaultdict(list)
        for file in self._files():
            name = name_of(file) if file.endswith(f".{_MANIFEST}") else None
            if name is not None:
                found[name.kind, name.partition].append(name)
        return found

    def read(self, name: Name) -> Stretch:
        """The manifest; its files are, byte for byte, those that were written. Raises StorageError."""
        manifest = self.path / f"{name}.{_MANIFEST}"
        stretch = read_manifest(manifest)
        for table, part in stretch.parts.items():
            file = self.file(name, table)
            size = file.stat().st_size if file.is_file() else 0
            if size != part.size:
                raise StorageError(
                    f"{file}: has {size} bytes, its manifest says {part.size}; remove {manifest.name}: a "
                    "sink worker writes the stretch again"
                )
            if part.sha256 and _digest_of(file) != part.sha256:
                raise StorageError(
                    f"{file}: its bytes are not those that were written; remove {manifest.name}: a sink "
                    "worker writes the stretch again"
                )
        return stretch

    def file(self, name: Name, table: str) -> Path:
        """Where the rows of a stretch are that go into ``table``."""
        return self.path / f"{name}.{table}.parquet"

    def write(self, name: Name, stretch: Stretch, tables: Mapping[str, pa.Table]) -> None:
        """Write tables that have rows, then the manifest. Raises StorageError where there is no room."""
        try:
            parts = {table: self._write(name, table, rows) for table, rows in tables.items() if rows.num_rows}
            self._settle()
            whole = msgspec.structs.replace(stretch, parts=parts)
            write_atomically(self.path / f"{name}.{_MANIFEST}", msgspec.json.encode(whole))
            self._settle()
        except OSError as error:
            self._leave_nothing(name, tables)
            raise StorageError(f"{self.path / str(name)}: cannot be written: {error}") from error

    def clear(self, taken: Taken) -> int:
        """Remove what lies below ``taken``, also half written; returns how many files went."""
        gone = 0
        for file in sorted(self._files(), key=lambda each: not each.endswith(f".{_MANIFEST}")):
            name = name_of(file)
            if name is not None and name.next <= taken.offsets.get(name.kind, {}).get(name.partition, 0):
                (self.path / file).unlink(missing_ok=True)
                gone += 1
        return gone

    def _write(self, name: Name, table: str, rows: pa.Table) -> Part:
        file = self.file(name, table)
        aside = file.with_name(f".{file.name}.part")
        with aside.open("wb") as sink:
            pq.write_table(
                rows,
                sink,
                row_group_size=_ROW_GROUP,
                compression="zstd",
                compression_level=1,
                use_dictionary=False,
            )
            sink.flush()
            os.fsync(sink.fileno())
        digest = _digest(aside)
        aside.replace(file)
        return Part(rows.num_rows, file.stat().st_size, rows.column_names, digest)

    def _leave_nothing(self, name: Name, tables: Iterable[str]) -> None:
        """A folder without room gets none by what is half written; a manifest that is there stays."""
        if (self.path / f"{name}.{_MANIFEST}").exists():
            return
        for file in (self.file(name, table) for table in tables):
            for path in (file, file.with_name(f".{file.name}.part")):
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    def _files(self) -> list[str]:
        return [file.name for file in self.path.iterdir()]

    def _settle(self) -> None:
        """Let the names in the folder outlive a power cut."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def folder_of(pipeline: Pipeline, state_dir: Path) -> SinkFolder:
    """The folder that the pipeline file declares; ``sink`` in the state folder where it names none."""
    declared = pipeline.training.sink.folder
    base = type(state_dir)(declared).expanduser() if declared else state_dir / "sink"
    return SinkFolder(base / pipeline.name)


def kinds_of(pipeline: Pipeline) -> dict[str, Kind]:
    """Topic -> kind."""
    return {pipeline.topics.features: KINDS[0], pipeline.topics.decisions: KINDS[1]}


def _digest_of(file: Path) -> str:
    try:
        return _digest(file)
    except OSError as error:
        raise StorageError(f"{file}: cannot be read: {error}") from error


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
