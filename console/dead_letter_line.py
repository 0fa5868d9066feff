"""A dead letter as one line: where it came from and why it was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.reading import headers_of
from feature_store.units import to_text

if TYPE_CHECKING:
    from streams.kafka import Message


def fields(message: Message) -> dict[str, Any]:
    """The evidence, without the body."""
    headers = headers_of(message)
    return {
        "reason": headers.get("reason"),
        "detail": headers.get("detail"),
        "source": {
            "topic": headers.get("source_topic"),
            "partition": _number(headers.get("source_partition")),
            "offset": _number(headers.get("source_offset")),
            "time_ms": _number(headers.get("source_time")),
        },
        "bytes": len(message.value() or b""),
    }


def words(message: Message) -> str:
    """The evidence as a line; control characters are taken out, as the detail may quote the record."""
    told = fields(message)
    source = told["source"]
    time = to_text(source["time_ms"] * 1_000) if source["time_ms"] is not None else "-"
    where = f"{source['topic']}[{source['partition']}]@{source['offset']}"
    line = f"{time} {where} {told['reason']}: {told['detail']} ({told['bytes']} bytes)"
    return "".join(character if character.isprintable() else " " for character in line)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
