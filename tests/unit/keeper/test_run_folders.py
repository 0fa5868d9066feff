from __future__ import annotations

from typing import TYPE_CHECKING

from training.keeper.run_folders import clean

if TYPE_CHECKING:
    from pathlib import Path


def test_the_newest_folders_stay(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    clean(runs, 2)
    names = ["20260105T030000-1", "20260106T030000-1", "20260106T030000-2", "20260107T030000-1"]
    for name in reversed(names):
        (runs / name / "champion").mkdir(parents=True)
        (runs / name / "champion" / "artifact").write_bytes(b"trees")
    clean(runs, 2)
    assert sorted(each.name for each in runs.iterdir()) == names[2:]
    clean(runs, 2)
    assert sorted(each.name for each in runs.iterdir()) == names[2:]
