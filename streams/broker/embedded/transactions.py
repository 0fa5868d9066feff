"""The transaction coordinator: who may write, what is undecided, and how it is decided."""

import time
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count

from streams.broker.embedded.answering import ErrorCode, RefusedError, each_partition
from streams.broker.embedded.groups import Groups
from streams.broker.embedded.log import TRANSACTIONAL, PartitionLog, read_header
from streams.broker.embedded.topics import Topics
from streams.broker.embedded.wire import Message

MAX_TIMEOUT_MS = 900_000
_LAST_EPOCH = 0x7FFE


class State(Enum):
    """Where a transactional id stands."""

    EMPTY = auto()
    ONGOING = auto()
    COMMITTED = auto()
    ABORTED = auto()


@dataclass(eq=False)
class Transaction:
    """One transactional id: its current producer, and what its open transaction has touched."""

    producer_id: int
    epoch: int = -1
    timeout_s: float = 0
    state: State = State.EMPTY
    deadline: float = 0
    partitions: set[PartitionLog] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Open the transaction unless it is open."""
        if self.state is not State.ONGOING:
            self.state, self.deadline = State.ONGOING, time.monotonic() + self.timeout_s


class Transactions:
    """All transactional ids. A newer producer of an id, or a time-out, fences the older ones."""

    def __init__(self, topics: Topics, groups: Groups) -> None:
        self._topics, self._groups = topics, groups.by_id
        self._by_id: dict[str, Transaction] = {}
        self._producer_ids = count(1)

    def init_producer_id(self, request: Message) -> Message:
        """Give a producer its id and epoch; abort what its predecessor left open."""
        name, claimed = request["transactional_id"], (request["producer_id"], request["epoch"])
        if name is None:
            return {"producer_id": next(self._producer_ids), "epoch": 0}
        if not 0 < request["timeout"] <= MAX_TIMEOUT_MS:
            raise RefusedError(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
        found = self._by_id.get(name) or Transaction(next(self._producer_ids))
        if claimed[0] >= 0 and claimed != (found.producer_id, found.epoch):
            raise RefusedError(ErrorCode.PRODUCER_FENCED)
        self._by_id[name] = found
        found.epoch += 1
        self._finish(found, commit=False)
        if found.epoch >= _LAST_EPOCH:
            found.producer_id, found.epoch = next(self._producer_ids), 0
        found.state, found.timeout_s = State.EMPTY, request["timeout"] / 1000
        return {"producer_id": found.producer_id, "epoch": found.epoch}

    def _current(self, request: Message) -> Transaction:
        found = self._by_id.get(request["transactional_id"])
        if found is None or found.producer_id != request["producer_id"]:
            raise RefusedError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        if found.epoch != request["epoch"]:
            raise RefusedError(ErrorCode.INVALID_PRODUCER_EPOCH)
        return found

    @each_partition
    def produce(self, request: Message, topic: str, wanted: Message) -> Message:
        """Append one batch, unless it is of a fenced producer or outside its transaction."""
        log, records = self._topics.partition(topic, wanted["index"]), wanted["records"] or memoryview(b"")
        header = read_header(records)
        if header.attributes & TRANSACTIONAL:
            writer = {"producer_id": header.producer_id, "epoch": header.epoch}
            if log not in self._current(request | writer).partitions:
                raise RefusedError(ErrorCode.INVALID_TXN_STATE)
        offset = log.append(records, int(self._topics.get(topic).settings["max.message.bytes"]))
        self._topics.wake()
        return {"base_offset": offset, "log_start": log.start}

    @each_partition
    def add_partitions_to_txn(self, request: Message, topic: str, wanted: Message) -> Message:
        """Announce a partition that the transaction will write to."""
        found, log = self._current(request), self._topics.partition(topic, wanted["index"])
        found.begin()
        found.partitions.add(log)
        return {}

    def add_offsets_to_txn(self, request: Message) -> Message:
        """Announce a group whose offsets the transaction will commit."""
        found = self._current(request)
        found.begin()
        found.groups.add(request["group_id"])
        return {}

    @each_partition
    def txn_offset_commit(self, request: Message, topic: str, wanted: Message) -> Message:
        """Hold an offset until the transaction is decided; a stale group member is refused."""
        found, group = self._current(request), self._groups[request["group_id"]]
        if request["group_id"] not in found.groups:
            raise RefusedError(ErrorCode.INVALID_TXN_STATE)
        group.check_commit(request, transactional=True)
        held = group.pending.setdefault(found.producer_id, {})
        held[topic, wanted["index"]] = wanted["offset"], wanted["metadata"] or ""
        return {}

    def end_txn(self, request: Message) -> Message:
        """Commit or abort; repeating the last decision is harmless."""
        found = self._current(request)
        decision = State.COMMITTED if request["commit"] else State.ABORTED
        if found.state not in {State.ONGOING, decision}:
            raise RefusedError(ErrorCode.INVALID_TXN_STATE)
        self._finish(found, request["commit"])
        return {}

    def _finish(self, transaction: Transaction, commit: bool) -> None:
        if transaction.state is not State.ONGOING:
            return
        for log in transaction.partitions:
            log.decide(transaction.producer_id, transaction.epoch, commit)
        for group in transaction.groups:
            self._groups[group].decide(transaction.producer_id, commit)
        self._topics.wake()
        transaction.partitions.clear()
        transaction.groups.clear()
        transaction.state = State.COMMITTED if commit else State.ABORTED

    def expire(self) -> None:
        """Abort what has been open for too long, and fence its producer."""
        for transaction in self._by_id.values():
            if transaction.state is State.ONGOING and time.monotonic() > transaction.deadline:
                transaction.epoch += 1
                self._finish(transaction, commit=False)
