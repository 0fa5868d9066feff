"""What processes say of themselves, for tests of how it is told."""

from __future__ import annotations

from typing import Any

from streams.metrics import Standing

AT_REST = Standing({0: 5, 3: 0}, 4, -1, "m1", "packed", 120, 4_096, 77)
"""A scorer between two steps."""

A_STATUS: dict[str, Any] = {
    "caught_up": True,
    "events": 1_200,
    "outcomes": {"read": 9, "fraud": 7, "legitimate": 2},
    "problems": {"repeated": 1, "unreadable": 0},
    "quality": {"total": {"frauds": 5, "labelled": 900, "precision": 0.5, "recall": None}},
    "drift": {
        "features": [
            {"name": "amount", "psi": 0.31, "missing": 0.0, "state": "drift"},
            {"name": "country", "psi": None, "missing": 1.0, "state": "missing"},
            {"name": "hour", "psi": 0.02, "missing": 0.25, "state": "stable"},
        ],
        "score": {"psi": 0.11, "state": "stable"},
    },
    "agreement": [{"shadow": "m2", "overlap": 0.75}, {"shadow": "m3", "overlap": None}],
    "freshness": {"silence": {"for_s": 2.5}, "behind": {"for_s": None}},
}
"""What a monitor says at /status.json, as far as metrics hang on it."""
