"""Tests that need a GPU, which are skipped only where there is none."""

from __future__ import annotations

import pytest

from streams.models.cuda import why_not

GPU = pytest.mark.skipif(why_not() is not None, reason=f"needs a GPU: {why_not()}")
