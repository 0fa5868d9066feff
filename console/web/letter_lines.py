"""Dead letters for pages: what a visitor may see of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from console.web.masking import HIDDEN

if TYPE_CHECKING:
    from console.dead_letters import DeadLetter, EventIds

_MOST_SHOWN = 32_768
_MOST_INDENTED = 8 * _MOST_SHOWN
"""What is nested deeply becomes much longer: an attacker's 32 kB would fill 27 MB."""
_ROW = 16


@dataclass(frozen=True)
class LetterLine:
    """A letter in a list; ``event_id`` and ``detail`` may quote what was sent, so not everybody sees them."""

    place: str
    path: str
    reason: str
    detail: str
    event_id: str
    time_us: int | None
    source: str
    size: int
    redriven_from: str | None


def letter_line(letter: DeadLetter, ids: EventIds, *, whole: bool) -> LetterLine:
    """The line of ``letter``; ``whole``: with what it quotes of the record."""
    event_id = ids(letter)
    detail = letter.detail or ""
    return LetterLine(
        place=str(letter.place),
        path=f"/dead-letters/{letter.place.partition}/{letter.place.offset}",
        reason=letter.reason or "unknown",
        detail=detail if whole or not detail else HIDDEN,
        event_id=(event_id or "") if whole or event_id is None else HIDDEN,
        time_us=None if letter.time_ms is None else letter.time_ms * 1_000,
        source=f"{letter.topic}[{letter.partition}]@{letter.offset}",
        size=len(letter.value or b""),
        redriven_from=letter.redriven_from,
    )


@dataclass(frozen=True)
class Body:
    """Bytes for people: indented where they are JSON, text where they are UTF-8, else a dump."""

    kind: str
    text: str
    cut: bool


def body_of(value: bytes | None) -> Body:
    """``value`` to look at; what is long is cut."""
    if value is None:
        return Body("none", "", cut=False)
    shown, cut = value[:_MOST_SHOWN], len(value) > _MOST_SHOWN
    if not cut:
        try:
            indented = msgspec.json.format(value, indent=2).decode()
            if len(indented) <= _MOST_INDENTED:
                return Body("JSON", indented, cut=False)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    try:
        text = shown.decode()
    except UnicodeDecodeError:
        return Body("bytes", _dump(shown), cut)
    if all(character.isprintable() or character in "\r\n\t" for character in text):
        return Body("text", text, cut)
    return Body("bytes", _dump(shown), cut)


def _dump(value: bytes) -> str:
    """Offset, hexadecimal, and what is printable, sixteen bytes a line."""
    lines = []
    for at in range(0, len(value), _ROW):
        row = value[at : at + _ROW]
        printable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004 (ASCII)
        lines.append(f"{at:06x}  {row.hex(' '):<{3 * _ROW}} {printable}")
    return "\n".join(lines)
