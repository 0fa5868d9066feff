"""What a look finds: the parts of ``/status.json`` that alerts are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Figures:
    """Each as ``/status.json`` shows it; docs/reference/monitor.md has the keys."""

    drift: dict[str, Any] = field(
        default_factory=lambda: {
            "looked_at": None,
            "reference": None,
            "events": 0,
            "state": "no_reference",
            "why": "not looked yet",
            "features": [],
            "score": None,
        }
    )
    actions: dict[str, Any] = field(default_factory=lambda: {"window_s": None, "actions": {}})
    agreement: list[dict[str, Any]] = field(default_factory=list)
    freshness: dict[str, Any] = field(
        default_factory=lambda: {
            "silence": {"state": "unknown", "for_s": None, "expected": None},
            "behind": {"state": "unknown", "waiting": None, "stuck": 0, "for_s": None},
        }
    )
