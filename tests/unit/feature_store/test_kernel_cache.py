"""Compiled kernels are run as they are found: nobody else may have put them there."""

from __future__ import annotations

import importlib.util
import tempfile
from typing import TYPE_CHECKING, Any

import numba
import pytest

from feature_store.engine.compiled import _temporary_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def fresh_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(fresh))
    return fresh


def test_a_folder_of_ones_own_is_used_again(tmp_path: Path) -> None:
    home = tmp_path / "sluicegate-1000"
    folder = _temporary_folder(home, "kernels")
    assert folder == home / "kernels" == _temporary_folder(home, "kernels")
    assert {path.stat().st_mode & 0o777 for path in (home, folder)} == {0o700}


@pytest.mark.parametrize("which", ["", "kernels"])
def test_one_that_others_may_write_to_is_not(tmp_path: Path, fresh_folders: Path, which: str) -> None:
    home = tmp_path / "sluicegate-1000"
    (home / "kernels").mkdir(parents=True)
    (home / which).chmod(0o777)
    assert _temporary_folder(home, "kernels").parent == fresh_folders


def test_nor_is_a_link(tmp_path: Path, fresh_folders: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    home = tmp_path / "sluicegate-1000"
    home.symlink_to(tmp_path / "elsewhere")
    assert _temporary_folder(home, "kernels").parent == fresh_folders


KERNEL = """
from feature_store.engine.compiled import compiled

@compiled
def doubled(number):
    return 2 * number
"""


@pytest.mark.parametrize("half", ["*.nbi", "*.nbc"])
def test_what_a_lost_machine_kept_half_of_is_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    source = tmp_path / "kernel.py"
    source.write_text(KERNEL)

    def doubled() -> Any:
        spec = importlib.util.spec_from_file_location("kernel", source)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.doubled

    assert doubled()(21) == 42
    (file,) = (tmp_path / "cache").rglob(half)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    again = doubled()
    assert again(21) == 42
    assert again.stats.cache_misses
    again = doubled()
    assert again(21) == 42
    assert again.stats.cache_hits
