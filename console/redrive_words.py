"""A redrive in words and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from console.redrive import Choice, Sent


def asked(choice: Choice, topic: str) -> str:
    """What would be sent, and what cannot be."""
    lines = [f"{len(choice.going)} to {topic}"]
    lines += [f"  {count} {_plain(reason)}" for reason, count in choice.reasons.most_common()]
    if choice.stay:
        lines.append(f"{choice.stay.total()} stay")
        lines += [f"  {count}: {_plain(why)}" for why, count in choice.stay.most_common()]
    return "\n".join(lines)


def result_words(sent: Sent) -> str:
    """What Kafka said."""
    if not sent.refused:
        return f"sent {sent.taken}"
    return f"sent {sent.taken}; Kafka refused {sent.refused}: {sent.why}"


def figures(choice: Choice, sent: Sent | None) -> dict[str, Any]:
    """The same for programs; ``sent`` is null where nothing was."""
    return {
        "chosen": len(choice.going),
        "reasons": dict(choice.reasons),
        "stay": dict(choice.stay),
        "sent": None if sent is None else sent.taken,
        "refused": None if sent is None else sent.refused,
        "why": None if sent is None else sent.why,
    }


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
