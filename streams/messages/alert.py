"""The alert: something that a person should know."""

from __future__ import annotations

import msgspec

CLEARED = "_cleared"
"""What the kind of an alert ends with that takes others back."""

SUBJECTS = "subjects"
"""The detail that names what such an alert, and one that can be taken back, is about, apart by commas."""


class Alert(msgspec.Struct, frozen=True):
    """The message on the alerts topic. ``kind`` is stable (``gate_refused``, ``model_rejected``, …)."""

    pipeline: str
    kind: str
    text: str
    raised_at: str
    details: dict[str, str | int | float | None] = {}

    @property
    def subjects(self) -> list[str]:
        """What it is about; empty for one that is never taken back."""
        named = self.details.get(SUBJECTS)
        return named.split(",") if isinstance(named, str) else []
