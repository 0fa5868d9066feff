"""Committed records, by a client that is not the product's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping


class Record(NamedTuple):
    """``topic`` is what it stands for, not its name."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass
class Reading:
    """How far each topic was read; ``names`` says what stands for what."""

    bootstrap: str
    names: Mapping[str, str]
    partitions: int

    def __post_init__(self) -> None:
        self._called = {name: what for what, name in self.names.items()}
        places = range(self.partitions)
        self._read = {TopicPartition(name, p): 0 for name in self.names.values() for p in places}

    def on(
        self,
        feed: Callable[[Record], None],
        enough: Callable[[], bool],
        each: Callable[[], None],
        patience: float,
    ) -> None:
        """Read on until ``enough`` and all that is committed was read; ``each`` is called all the time.

        Raises TimeoutError.
        """
        asyncio.run(self._on(feed, enough, each, patience))

    async def _on(
        self,
        feed: Callable[[Record], None],
        enough: Callable[[], bool],
        each: Callable[[], None],
        patience: float,
    ) -> None:
        async with asyncio.timeout(patience):
            async for record in self._records(enough, each):
                feed(record)

    async def _records(self, enough: Callable[[], bool], each: Callable[[], None]) -> AsyncIterator[Record]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            consumer.assign(list(self._read))
            for partition, position in self._read.items():
                consumer.seek(partition, position)
            while True:
                each()
                found = await consumer.getmany(timeout_ms=200)
                for partition, records in found.items():
                    for one in records:
                        self._read[partition] = one.offset + 1
                        yield Record(
                            self._called[partition.topic],
                            one.partition,
                            one.offset,
                            one.key,
                            one.value,
                            one.headers,
                        )
                if not found and enough() and await self._at_end(consumer):
                    return
        finally:
            await consumer.stop()

    async def _at_end(self, consumer: AIOKafkaConsumer) -> bool:
        ends = await consumer.end_offsets(list(self._read))
        return all([await consumer.position(each) >= end for each, end in ends.items()])
