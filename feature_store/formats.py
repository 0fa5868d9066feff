"""The number of a format, in what is stored or sent as JSON: under ``format``; where there is none, it is 1.

A reader takes its own format and older ones. What a newer release wrote is refused by name: half
understood, it would be worse than missing.
"""

from __future__ import annotations

import msgspec

FIRST = 1


class NewerFormatError(msgspec.ValidationError):
    """What was written by a newer release; raised and told like anything else that cannot be read."""


class _Formatted(msgspec.Struct, frozen=True):
    format: int = FIRST


def refuse_newer(found: object, known: int = FIRST) -> None:
    """Raise NewerFormatError for a format beyond ``known``, and for what is no format."""
    if not isinstance(found, int) or found < FIRST:
        raise NewerFormatError(f"its format {found!r} is none")
    if found > known:
        raise NewerFormatError(
            f"it is of format {found}, this sluicegate knows {known}: a newer one wrote it; upgrade this "
            "one, or take the newer one again"
        )


def check_format(content: bytes, known: int = FIRST) -> None:
    """The same for a JSON object. Raises msgspec.MsgspecError, too, for what is none."""
    refuse_newer(msgspec.json.decode(content, type=_Formatted).format, known)
