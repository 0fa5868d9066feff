"""``simulate --to``: the whole labelled stream as a file, or a word about what it cannot mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from console.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

DAY = ["simulate", "--days", "1", "--events-per-day", "50"]


def test_every_event_is_written(tmp_path: Path) -> None:
    path = tmp_path / "payments.parquet"
    done = CliRunner().invoke(app, [*DAY, "--to", str(path)])
    assert done.exit_code == 0, done.output
    assert f"events {pq.read_metadata(path).num_rows}" in done.output


@pytest.mark.parametrize("option", ["--limit", "--rate", "--speed"])
def test_what_shapes_a_stream_is_refused(tmp_path: Path, option: str) -> None:
    path = tmp_path / "payments.parquet"
    done = CliRunner().invoke(app, [*DAY, "--to", str(path), option, "10"])
    assert done.exit_code == 2
    assert "--to writes every event" in done.output
    assert not path.exists()
