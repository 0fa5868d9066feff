"""The client that tests use beside ours."""

from __future__ import annotations

import shutil

import pytest


def kcat() -> str:
    """Where kcat is; its absence is a failure that says how to get it."""
    found = shutil.which("kcat")
    if found is None:
        pytest.fail("kcat is not installed: apt-get install kcat, or brew install kcat")
    return found
