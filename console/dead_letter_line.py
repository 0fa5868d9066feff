"""A dead letter as one line: where it came from and why it was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.units import to_text

if TYPE_CHECKING:
    from console.dead_letters import DeadLetter


def fields(letter: DeadLetter, event_id: str | None) -> dict[str, Any]:
    """The evidence, without the body."""
    return {
        "at": str(letter.place),
        "reason": letter.reason,
        "detail": letter.detail,
        "event_id": event_id,
        "source": {
            "topic": letter.topic,
            "partition": letter.partition,
            "offset": letter.offset,
            "time_ms": letter.time_ms,
        },
        "bytes": len(letter.value or b""),
        "cut_from": letter.cut_from,
        "redriven_from": letter.redriven_from,
    }


def words(letter: DeadLetter, event_id: str | None) -> str:
    """The evidence as a line; control characters are taken out, as it may quote the record."""
    time = to_text(letter.time_ms * 1_000) if letter.time_ms is not None else "-"
    where = f"{letter.topic}[{letter.partition}]@{letter.offset}"
    size = f"{len(letter.value or b'')} bytes"
    if letter.cut_from is not None:
        size += f", cut from {letter.cut_from}"
    whose = "" if event_id is None else f" {event_id}"
    line = f"{letter.place} {time} {where}{whose} {letter.reason}: {letter.detail} ({size})"
    return "".join(character if character.isprintable() else " " for character in line)
