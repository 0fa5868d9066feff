"""What no client can be made to do on demand: retries, gaps and strays, byte by byte."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

from streams.broker.embedded.answering import ErrorCode
from streams.broker.embedded.log import crc32c
from streams.broker.embedded.messages import APIS
from streams.broker.embedded.wire import Reader, Writer
from tests.contract.broker.toolkit import PATIENCE, Kafka, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


FENCED = ErrorCode.PRODUCER_FENCED


class Connection:
    """Sends single requests, each in the newest form that the embedded broker knows."""

    def __init__(self, bootstrap: str) -> None:
        host, port = bootstrap.split(":")
        self._socket = socket.create_connection((host, int(port)), PATIENCE)

    def close(self) -> None:
        self._socket.close()

    def ask(self, name: str, version: int | None = None, **request: Any) -> Any:
        """Return the response to a request."""
        api = APIS[name]
        version = api.newest if version is None else version
        flexible = version >= api.flexible
        out = bytearray(struct.pack(">hhih", api.key, version, 7, -1))
        if flexible:
            out.append(0)
        Writer(out, flexible=flexible).message(api.request, version, request)
        self._socket.sendall(struct.pack(">i", len(out)) + out)
        size = struct.unpack(">i", self._receive(4))[0]
        reader = Reader(self._receive(size))
        assert reader.value("i32") == 7
        reader.flexible = flexible
        if flexible and name != "ApiVersions":
            reader.skip_tags()
        response = reader.message(api.response, version)
        assert reader.at == size, "bytes left over"
        return response

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self._socket.recv(size - len(data))
            assert chunk, "connection closed"
            data += chunk
        return data

    def produce(self, topic: str, records: bytes, name: str | None = None) -> tuple[int, int]:
        """Return the error code and the offset that producing one batch brings."""
        partitions = [{"index": 0, "records": records}]
        topics = [{"name": topic, "partitions": partitions}]
        reply = self.ask("Produce", transactional_id=name, acks=-1, timeout=9000, topics=topics)
        partition = reply["topics"][0]["partitions"][0]
        return partition["error"], partition["base_offset"]


def batch(producer: tuple[int, int], sequence: int, count: int = 1, *, transactional: bool = False) -> bytes:
    """Return a batch of `count` records with neither key nor value."""
    now = time.time_ns() // 1_000_000
    kind = 0x10 if transactional else 0
    records = b"".join(bytes([12, 0, 0, 2 * i, 1, 1, 0]) for i in range(count))
    tail = struct.pack(">hiqqqhii", kind, count - 1, now, now, *producer, sequence, count) + records
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, crc32c(tail)) + tail


@pytest.fixture
def connection(bootstrap: str) -> Iterator[Connection]:
    made = Connection(bootstrap)
    yield made
    made.close()


@pytest.fixture
def topic(kafka: Kafka, connection: Connection) -> str:
    """Return a topic whose leader is at work: it is named as such before it is."""
    name = kafka.topic()
    end = [{"name": name, "partitions": [{"index": 0, "timestamp": -1}]}]

    def led() -> bool:
        reply = connection.ask("ListOffsets", replica=-1, topics=end)
        return bool(reply["topics"][0]["partitions"][0]["error"] == ErrorCode.NONE)

    eventually(led)
    return name


def new_producer(connection: Connection, name: str | None = None) -> tuple[int, int]:
    """Return a producer's id and epoch, waiting for what the coordinator has to do first."""
    replies: list[Any] = []

    def given() -> bool:
        if name is not None:
            connection.ask("FindCoordinator", key=name, kind=1)
        replies.append(
            connection.ask("InitProducerId", transactional_id=name, timeout=9000, producer_id=-1, epoch=-1)
        )
        return bool(replies[-1]["error"] == ErrorCode.NONE)

    eventually(given)
    return replies[-1]["producer_id"], replies[-1]["epoch"]


class TestIdempotence:
    def test_a_repeated_batch_is_stored_once(self, connection: Connection, topic: str, kafka: Kafka) -> None:
        producer = new_producer(connection)
        assert connection.produce(topic, batch(producer, 0, 3)) == (0, 0)
        assert connection.produce(topic, batch(producer, 3, 2)) == (0, 3)
        assert connection.produce(topic, batch(producer, 0, 3)) == (0, 0)
        assert connection.produce(topic, batch(producer, 3, 2)) == (0, 3)
        assert [m.offset() for m in kafka.read(topic)] == [0, 1, 2, 3, 4]

    def test_a_gap_is_refused(self, connection: Connection, topic: str) -> None:
        producer = new_producer(connection)
        assert connection.produce(topic, batch(producer, 0)) == (0, 0)
        assert connection.produce(topic, batch(producer, 2))[0] == ErrorCode.OUT_OF_ORDER_SEQUENCE
        assert connection.produce(topic, batch(producer, 1)) == (0, 1)

    def test_an_older_epoch_is_refused(self, connection: Connection, topic: str) -> None:
        number, _ = new_producer(connection)
        assert connection.produce(topic, batch((number, 3), 0)) == (0, 0)
        assert connection.produce(topic, batch((number, 2), 1))[0] == ErrorCode.INVALID_PRODUCER_EPOCH
        assert connection.produce(topic, batch((number, 4), 0)) == (0, 1)

    def test_a_torn_batch_is_refused(self, connection: Connection, topic: str) -> None:
        whole = batch((-1, -1), -1)
        assert connection.produce(topic, whole[:-1])[0] == ErrorCode.INVALID_RECORD
        assert connection.produce(topic, whole + whole)[0] == ErrorCode.INVALID_RECORD
        assert connection.produce(topic, whole) == (0, 0)

    def test_a_wrong_checksum_is_refused(
        self, connection: Connection, topic: str, gap: Callable[[str], None]
    ) -> None:
        gap("checksums are not verified")
        records = batch((-1, -1), -1)
        corrupt_message = 2
        assert connection.produce(topic, records[:-1] + b"\1")[0] == corrupt_message


class TestTransactions:
    def test_a_partition_must_be_announced(self, connection: Connection, topic: str, unique: str) -> None:
        producer = new_producer(connection, unique)
        stray = connection.produce(topic, batch(producer, 0, transactional=True), unique)
        assert stray[0] == ErrorCode.INVALID_TXN_STATE

    def test_a_decision_may_be_repeated_but_not_reversed(
        self, connection: Connection, topic: str, unique: str
    ) -> None:
        number, epoch = new_producer(connection, unique)
        me: dict[str, Any] = {"transactional_id": unique, "producer_id": number, "epoch": epoch}
        add = {**me, "topics": [{"name": topic, "partitions": [{"index": 0}]}]}
        eventually(lambda: not self.first_error(connection.ask("AddPartitionsToTxn", **add)))
        records = batch((number, epoch), 0, transactional=True)
        assert connection.produce(topic, records, unique) == (0, 0)
        eventually(lambda: connection.ask("EndTxn", **me, commit=True)["error"] == 0)
        eventually(lambda: connection.ask("EndTxn", **me, commit=True)["error"] == 0)
        assert connection.ask("EndTxn", **me, commit=False)["error"] == ErrorCode.INVALID_TXN_STATE

    def test_a_claim_to_a_replaced_epoch_is_fenced(self, connection: Connection, unique: str) -> None:
        number, epoch = new_producer(connection, unique)
        new_producer(connection, unique)
        claim: dict[str, Any] = {"transactional_id": unique, "timeout": 9000}
        assert connection.ask("InitProducerId", **claim, producer_id=number, epoch=epoch)["error"] == FENCED

    def test_an_unknown_producer_is_refused(self, connection: Connection, unique: str) -> None:
        new_producer(connection, unique)
        reply = connection.ask("EndTxn", transactional_id=unique, producer_id=12345, epoch=0, commit=True)
        assert reply["error"] == ErrorCode.INVALID_PRODUCER_ID_MAPPING

    @staticmethod
    def first_error(reply: Any) -> int:
        return int(reply["topics"][0]["partitions"][0]["error"])


class TestVersions:
    def test_every_version_that_is_offered_is_answered(self, connection: Connection, unique: str) -> None:
        for name, version in (
            *(("ApiVersions", v) for v in range(4)),
            *(("Metadata", v) for v in range(1, 5)),
            *(("FindCoordinator", v) for v in range(2)),
            *(("OffsetFetch", v) for v in range(1, 8)),
        ):
            request: dict[str, Any] = {"topics": [], "key": unique, "group_id": unique}
            request |= {"software": "contract", "software_version": "1"}
            assert not connection.ask(name, version, **request).get("error"), (name, version)
