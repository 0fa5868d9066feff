"""The alert: something that a person should know."""

from __future__ import annotations

import msgspec

from feature_store.errors import ContractError

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

    @classmethod
    def read(cls, value: bytes | None) -> Alert:
        """The alert in a record's value. Raises ContractError where it is none: anybody may write there."""
        try:
            return msgspec.json.decode(value or b"", type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ContractError(str(error)) from error

    @property
    def subjects(self) -> list[str]:
        """What it is about; empty for one that is never taken back."""
        named = self.details.get(SUBJECTS)
        return named.split(",") if isinstance(named, str) else []
