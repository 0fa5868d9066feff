"""The transaction coordinator: who may write, what is undecided, and how it is decided."""

import time
from dataclasses import dataclass, field
from enum import Enum, auto

from streams.broker.embedded.answering import each_partition
from streams.broker.embedded.batches import TRANSACTIONAL, Header
from streams.broker.embedded.coordinator import Groups
from streams.broker.embedded.log import PartitionLog
from streams.broker.embedded.messages import ErrorCode, RefusedError
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
        self._topics = topics
        self._groups = groups
        self._by_id: dict[str, Transaction] = {}
        self._by_producer: dict[int, Transaction] = {}
        self._last_producer_id = 0

    async def init_producer_id(self, request: Message) -> Message:
        """Give a producer its id and epoch; abort what its predecessor left open."""
        name = request["transactional_id"]
        if name is None:
            return {"producer_id": self._new_id(), "epoch": 0}
        if not 0 < request["timeout"] <= MAX_TIMEOUT_MS:
            raise RefusedError(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
        found = self._by_id.get(name) or self._register(name)
        claimed = (request["producer_id"], request["epoch"])
        if claimed[0] >= 0 and claimed != (found.producer_id, found.epoch):
            raise RefusedError(ErrorCode.PRODUCER_FENCED)
        found.epoch += 1
        self._finish(found, commit=False)
        if found.epoch >= _LAST_EPOCH:
            found = self._register(name)
            found.epoch = 0
        found.state, found.timeout_s = State.EMPTY, request["timeout"] / 1000
        return {"producer_id": found.producer_id, "epoch": found.epoch}

    def _new_id(self) -> int:
        self._last_producer_id += 1
        return self._last_producer_id

    def _register(self, name: str) -> Transaction:
        self._by_id[name] = transaction = Transaction(self._new_id())
        self._by_producer[transaction.producer_id] = transaction
        return transaction

    def _current(self, request: Message) -> Transaction:
        found = self._by_id.get(request["transactional_id"])
        if found is None or found.producer_id != request["producer_id"]:
            raise RefusedError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        if found.epoch != request["epoch"]:
            raise RefusedError(ErrorCode.INVALID_PRODUCER_EPOCH)
        return found

    def check_produce(self, header: Header, log: PartitionLog) -> None:
        """Refuse a batch of a fenced producer, or one outside its transaction."""
        if header.attributes & TRANSACTIONAL:
            found = self._by_producer.get(header.producer_id)
            if found is None:
                raise RefusedError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
            if header.epoch != found.epoch:
                raise RefusedError(ErrorCode.INVALID_PRODUCER_EPOCH)
            if log not in found.partitions:
                raise RefusedError(ErrorCode.INVALID_TXN_STATE)

    @each_partition
    def add_partitions_to_txn(self, request: Message, name: str, index: int) -> Message:
        """Announce a partition that the transaction will write to."""
        found, log = self._current(request), self._topics.partition(name, index)
        found.begin()
        found.partitions.add(log)
        return {}

    async def add_offsets_to_txn(self, request: Message) -> Message:
        """Announce a group whose offsets the transaction will commit."""
        found = self._current(request)
        found.begin()
        found.groups.add(request["group_id"])
        return {}

    @each_partition
    def txn_offset_commit(self, request: Message, name: str, wanted: Message) -> Message:
        """Hold an offset until the transaction is decided; a stale group member is refused."""
        found, group = self._current(request), self._groups.get(request["group_id"])
        if group.id not in found.groups:
            raise RefusedError(ErrorCode.INVALID_TXN_STATE)
        group.check_commit(request, transactional=True)
        held = group.pending.setdefault(found.producer_id, {})
        held[name, wanted["index"]] = wanted["offset"], wanted["metadata"] or ""
        return {}

    async def end_txn(self, request: Message) -> Message:
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
            self._groups.get(group).decide(transaction.producer_id, commit)
        transaction.partitions.clear()
        transaction.groups.clear()
        transaction.state = State.COMMITTED if commit else State.ABORTED

    def expire(self) -> None:
        """Abort what has been open for too long, and fence its producer."""
        for transaction in self._by_id.values():
            if transaction.state is State.ONGOING and time.monotonic() > transaction.deadline:
                transaction.epoch += 1
                self._finish(transaction, commit=False)
