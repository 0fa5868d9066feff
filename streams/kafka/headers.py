"""A record's headers, whatever a producer wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confluent_kafka import Message

    from feature_store.clock import Headers


def headers_of(message: Message) -> Headers:
    """Names and values; None where there are none, or where a name is not UTF-8.

    The client cannot show headers with such a name (it raises SystemError); what anybody may write on a topic
    must not stop its reader.
    """
    try:
        found = message.headers()
    except (SystemError, UnicodeDecodeError):
        return None
    if not found:
        return None
    pairs = found.items() if isinstance(found, dict) else found
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs]
