"""faust's aiokafka transport, reading committed records only and keeping no offsets.

faust ties ``read_committed`` to its own exactly-once mode, which would make it produce transactions; here
it is set where faust makes its consumer, and so is a shorter wait for records. Nothing is committed: the
monitor's state is in memory, so every start reads from the earliest record; after a rebalance faust goes
back there too, and what was counted is skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from faust.transport.drivers import aiokafka as driver

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from aiokafka import AIOKafkaConsumer
    from faust.types import TP, AppT

_FETCH_WAIT_MS = 100


class Fetched(NamedTuple):
    """How far faust's consumer has read one partition."""

    position: int
    """Everything below has been handed over, or is not for readers: markers, aborted records."""
    last: int
    """The last record that was handed over; -1 before the first."""


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    fetched: Mapping[TP, Fetched] = {}

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> AIOKafkaConsumer:
        consumer = super()._create_consumer(loop)
        # taken up when the consumer starts; while a fetch waits at the end of one topic, no other is fetched
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS  # noqa: SLF001
        return consumer

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109  (faust's signature)
        max_records: int | None = None,
    ) -> Mapping[TP, list[Any]]:
        records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        before = self.fetched
        now = dict(before)
        for partition in active_partitions:
            last = before[partition].last if partition in before else -1
            if records.get(partition):
                last = records[partition][-1].offset
            now[partition] = Fetched(await consumer.position(partition), last)
        self.fetched = now
        return records

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        del offsets
        return True


class _Consumer(driver.Consumer):
    _thread: _ConsumerThread

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class CommittedTransport(driver.Transport):
    """The transport of the monitor's app."""

    Consumer = _Consumer


def fetched_by(app: AppT) -> Mapping[TP, Fetched]:
    """How far the consumer of ``app`` has read each partition; ``app`` has a CommittedTransport."""
    return cast("_Consumer", app.consumer)._thread.fetched  # noqa: SLF001  (its own module)
