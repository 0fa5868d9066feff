"""The run of the tests itself: one that hangs in a C library is named, and the others are run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

CONFTEST = """
from tests.hung import Watch

def pytest_configure(config):
    config.pluginmanager.register(Watch(config, grace_s=0.5))
"""
TESTS = """
import ctypes
import pytest

@pytest.mark.timeout(0.5)
def test_holds_the_interpreter():
    library, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(256)
    for _ in range(2):  # the second never returns, and no signal ends it
        library.pthread_mutex_lock(mutex)

def test_is_run_all_the_same():
    pass
"""


def test_one_that_no_signal_reaches_is_named_and_the_others_are_run(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_one.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntimeout = 30\n")
    options = ["-q", "-p", "no:cacheprovider", "--numprocesses", "1", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-c", str(tmp_path / "pytest.ini"), str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout
    assert "crashed while running 'test_one.py::test_holds_the_interpreter'" in done.stdout
    assert "in test_holds_the_interpreter" in done.stderr
