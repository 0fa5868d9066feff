from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from feature_store.memory_map import let_go, memory_map


def mapped_kib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return sum(
        int(line.split()[1]) for line in status.splitlines() if line.startswith(("RssFile", "RssShmem"))
    )


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_what_was_looked_at_is_given_back_and_what_was_written_stays(tmp_path: Path) -> None:
    matrix = memory_map(tmp_path, 40_000, 100)
    before = mapped_kib()
    matrix[:] = np.arange(100.0)
    held = mapped_kib() - before
    let_go(matrix[5:10])
    given_back = mapped_kib() - before
    assert held > 25_000
    assert given_back < held / 4
    assert np.array_equal(matrix[39_999], np.arange(100.0))
    assert list(tmp_path.iterdir()) == []


def test_other_matrices_are_left_alone(tmp_path: Path) -> None:
    matrix = np.ones((3, 2))
    let_go(matrix[1:])
    assert matrix.sum() == 6
    assert memory_map(tmp_path, 0, 5).shape == (0, 5)
