"""A record's headers, whatever a producer wrote."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confluent_kafka import Message

    from feature_store.clock import Headers


# For such a name the client returns a broken list with an exception pending. Called in this way, Python
# notices and raises SystemError; as ``message.headers()`` it does not, once that line is hot, and crashes.
_headers = methodcaller("headers")


def headers_of(message: Message) -> Headers:
    """Names and values; None where there are none, or where a name is not UTF-8.

    What anybody may write on a topic must not stop its reader.
    """
    try:
        found = _headers(message)
    except (SystemError, UnicodeDecodeError):
        message.set_headers([])  # it keeps the broken list, and gives that out without a word the next time
        return None
    if not found:
        return None
    pairs = found.items() if isinstance(found, dict) else found
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs]
