"""The alert: something that a person should know."""

from __future__ import annotations

import msgspec


class Alert(msgspec.Struct, frozen=True):
    """The message on the alerts topic. ``kind`` is stable (``gate_refused``, ``model_rejected``, …)."""

    pipeline: str
    kind: str
    text: str
    raised_at: str
    details: dict[str, str | int | float | None] = {}
