"""The last explanation of a partition: where its offsets have expired, it says how far the explainer came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feature_store.errors import ContractError
from streams.kafka import read_range
from streams.kafka.tail import watermarks
from streams.messages.explanation import Explanation

if TYPE_CHECKING:
    from streams.kafka import Consumer

_REACH = 100


def last_explained(bootstrap: str, consumer: Consumer, topic: str, partition: int) -> int:
    """The source offset of the last event of ``partition`` that ``topic`` explains; -1 without any.

    ``consumer`` is asked where the topic ends. Raises BrokerError, ContractError for what is no explanation.
    """
    first, end = watermarks(consumer, topic, partition)
    reach, until = _REACH, end
    while until > first:
        since = max(first, until - reach)
        messages = list(read_range(bootstrap, topic, {partition: (since, until)}))
        if messages:
            return _source_offset(messages[-1].value() or b"", topic)
        reach, until = 10 * reach, since  # only markers of transactions: further back
    return -1


def _source_offset(message: bytes, topic: str) -> int:
    try:
        return msgspec.json.decode(message, type=Explanation).source.offset
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ContractError(f"{topic}: the last record is no explanation: {error}") from error
