"""Leaving a consumer group without waiting for ever."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from streams.kafka.clients import Consumer

_log = structlog.get_logger()
_PATIENCE_S = 10.0


def leave(consumer: Consumer, within_s: float = _PATIENCE_S) -> bool:
    """Close a member of a group; whether it was closed in time. To be called last: what is left to a client
    that was not goes with the process.

    A client that is given partitions while it closes may never return (librdkafka 2.x, issue 4884), and one
    without Kafka waits for the answer to its last commit.
    """
    leaving = threading.Thread(target=consumer.close, name="leaving-a-group", daemon=True)
    leaving.start()
    leaving.join(within_s)
    if leaving.is_alive():
        _log.warning("group_not_left", waited_s=within_s)
    return not leaving.is_alive()
