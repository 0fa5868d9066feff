"""Producing, fetching and looking up offsets."""

import asyncio

from streams.broker.embedded.answering import answer_partitions, each_partition
from streams.broker.embedded.batches import read_header
from streams.broker.embedded.log import PartitionLog
from streams.broker.embedded.messages import ErrorCode, RefusedError
from streams.broker.embedded.topics import Topics
from streams.broker.embedded.transactions import Transactions
from streams.broker.embedded.wire import Message

_LATEST, _EARLIEST = -1, -2


class Records:
    """The requests that carry records."""

    def __init__(self, topics: Topics, transactions: Transactions) -> None:
        self._topics = topics
        self._transactions = transactions

    @each_partition
    def produce(self, _request: Message, name: str, wanted: Message) -> Message:
        """Append one batch."""
        log = self._topics.partition(name, wanted["index"])
        records = wanted["records"] or memoryview(b"")
        self._transactions.check_produce(read_header(records), log)
        limit = int(self._topics.get(name).setting("max.message.bytes"))
        return {"base_offset": log.append(records, limit), "log_start": log.start}

    async def fetch(self, request: Message) -> Message:
        """Give batches; wait for `min_bytes` of them up to `max_wait` ms if nothing is wrong."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        watched: set[PartitionLog] = set()
        timer = loop.call_later(request["max_wait"] / 1000, changed.set)
        deadline = timer.when()
        try:
            while True:
                changed.clear()
                reply, size = self._fetch(request, watched)
                failed = any(one.get("error") for topic in reply["topics"] for one in topic["partitions"])
                if size >= request["min_bytes"] or failed or loop.time() >= deadline:
                    return reply
                for log in watched:
                    log.watchers.add(changed)
                await changed.wait()
        finally:
            timer.cancel()
            for log in watched:
                log.watchers.discard(changed)

    def _fetch(self, request: Message, watched: set[PartitionLog]) -> tuple[Message, int]:
        total = 0

        def read(name: str, wanted: Message) -> Message:
            nonlocal total
            log, offset = self._topics.partition(name, wanted["index"]), wanted["offset"]
            marks = {"high_watermark": log.end, "last_stable": log.last_stable, "log_start": log.start}
            if not log.start <= offset <= log.end:
                return {**marks, "error": ErrorCode.OFFSET_OUT_OF_RANGE}
            watched.add(log)
            upto = log.last_stable if request["isolation"] else log.end
            budget = min(wanted["max_bytes"], request["max_bytes"] - total)
            records = b"".join(log.read(offset, upto, budget, at_least_one=not total))
            total += len(records)
            aborted = log.aborted_in(offset, upto) if request["isolation"] and records else []
            return {**marks, "records": records, "aborted": [one._asdict() for one in aborted]}

        return answer_partitions(request, read), total

    @each_partition
    def list_offsets(self, request: Message, name: str, wanted: Message) -> Message:
        """Give the first, the next, or the first offset at or after a timestamp (ms)."""
        log, timestamp = self._topics.partition(name, wanted["index"]), wanted["timestamp"]
        if timestamp == _EARLIEST:
            return {"offset": log.start, "timestamp": -1}
        if timestamp == _LATEST:
            return {"offset": log.last_stable if request["isolation"] else log.end}
        if timestamp < 0:
            raise RefusedError(ErrorCode.INVALID_REQUEST)
        offset, found = log.at_time(timestamp)
        return {"offset": offset, "timestamp": found}
