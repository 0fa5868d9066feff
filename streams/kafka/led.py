"""New topics: Kafka says that there is one before each of its partitions can be written.

An idempotent producer loses a record there: the first batch of a partition is refused as nobody leads it yet,
the next, already on its way, is taken, since a broker that knows nothing of a producer takes any number; then
the first one's second attempt is out of order, which librdkafka (2.16) takes for one that was written before:
confirmed, and not there. Seen on Apache Kafka 4.1 in a partition whose first record has the sequence 1.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from streams.kafka.retriable import asked_too_soon

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka.admin import AdminClient

_EVERY_S = 0.05


def wait_until_led(
    admin: AdminClient, partitions: Iterable[tuple[str, int]], within_s: float
) -> list[tuple[str, int]]:
    """Wait until each partition's leader says where it ends; those whose leader did not in time.

    One that this user may not ask about, or that cannot be asked, is not waited for.
    """
    missing, until = set(partitions), time.monotonic() + within_s
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    while missing and time.monotonic() < until:
        asked = {TopicPartition(name, number): latest for name, number in missing}
        for place, future in admin.list_offsets(asked, request_timeout=within_s).items():
            try:
                future.result()
            except KafkaException as error:
                if asked_too_soon(error.args[0]):
                    continue
            missing.discard((place.topic, place.partition))
        if missing:
            time.sleep(_EVERY_S)
    return sorted(missing)
