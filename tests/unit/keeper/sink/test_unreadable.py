"""A file of a sink worker that the disk does not give back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from feature_store.errors import StorageError
from training.sink import folder as folder_module
from training.sink.folder import SinkFolder
from training.sink.stretch import Name, Stretch

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, name = SinkFolder(tmp_path), Name("decisions", 0, 0, 1, "0" * 8)
    folder.write(name, Stretch("a cluster", "decisions", {}), {"decisions": pa.table({"offset": [0]})})
    assert folder.read(name).parts["decisions"].rows == 1

    def failing(_: Path) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(folder_module, "_digest", failing)
    with pytest.raises(StorageError, match=r"decisions\.parquet: cannot be read: .*Input/output error"):
        folder.read(name)
