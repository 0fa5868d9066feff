"""One partition's log, without a network."""

from __future__ import annotations

import struct
import time

import pytest

from streams.broker.embedded.answering import ErrorCode, RefusedError
from streams.broker.embedded.log import PartitionLog, control_batch, crc32c, read_header
from streams.broker.embedded.topics import Topics

NOW = time.time_ns() // 1_000_000
NOBODY = (-1, -1, -1)
LIMIT = 1_000_000


def batch(
    records: int = 1,
    producer: tuple[int, int, int] = NOBODY,
    *,
    attributes: int = 0,
    at: int = NOW,
    step: int = 0,
    padding: int = 0,
) -> memoryview:
    """Return a batch; `producer` is (id, epoch, first sequence), `step` the ms between records."""
    body = b""
    for i in range(records):
        delta = bytearray()
        zigzag = i * step * 2
        while zigzag > 0x7F:
            delta.append(zigzag & 0x7F | 0x80)
            zigzag >>= 7
        record = b"\0" + bytes([*delta, zigzag]) + bytes([2 * i, 1, 1, 0])
        body += bytes([2 * len(record)]) + record
    last_at = at + step * (records - 1)
    tail = struct.pack(">hiqqqhii", attributes, records - 1, at, last_at, *producer, records)
    tail += body + b"\0" * padding
    return memoryview(struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, crc32c(tail)) + tail)


def offsets(chunks: list[bytes]) -> list[int]:
    return [struct.unpack_from(">q", chunk)[0] for chunk in chunks]


@pytest.fixture
def log() -> PartitionLog:
    return PartitionLog()


def transactional(log: PartitionLog, producer: int, sequence: int = 0) -> int:
    return log.append(batch(1, (producer, 0, sequence), attributes=0x10), LIMIT)


class TestChecksum:
    def test_known_values(self) -> None:
        assert crc32c(b"123456789") == 0xE3069283
        assert crc32c(b"\0" * 32) == 0x8A9136AA

    def test_a_marker_is_one_valid_batch(self) -> None:
        marker = control_batch(7, 3, commit=True)
        header = read_header(memoryview(marker))
        assert (header.producer_id, header.epoch, header.attributes) == (7, 3, 0x30)
        assert header.crc == crc32c(marker[21:])


class TestAppendAndRead:
    def test_offsets_run_on_over_batches(self, log: PartitionLog) -> None:
        assert [log.append(batch(n), LIMIT) for n in (3, 1, 5)] == [0, 3, 4]
        assert log.end == 9
        assert offsets(log.read(0, log.end, LIMIT, at_least_one=True)) == [0, 3, 4]

    def test_reading_starts_with_the_batch_that_holds_the_offset(self, log: PartitionLog) -> None:
        for _ in range(3):
            log.append(batch(4), LIMIT)
        assert offsets(log.read(5, log.end, LIMIT, at_least_one=True)) == [4, 8]
        assert log.read(12, log.end, LIMIT, at_least_one=True) == []

    def test_the_byte_limit_yields_to_progress_only(self, log: PartitionLog) -> None:
        size = len(batch())
        for _ in range(4):
            log.append(batch(), LIMIT)
        assert offsets(log.read(0, log.end, 2 * size, at_least_one=True)) == [0, 1]
        assert offsets(log.read(0, log.end, size - 1, at_least_one=True)) == [0]
        assert log.read(0, log.end, size - 1, at_least_one=False) == []

    def test_the_checksummed_part_is_untouched(self, log: PartitionLog) -> None:
        log.append(batch(2), LIMIT)
        log.append(batch(3), LIMIT)
        stored = log.read(2, log.end, LIMIT, at_least_one=True)[0]
        assert stored[16:] == batch(3)[16:]

    def test_what_is_not_one_batch_is_refused(self, log: PartitionLog) -> None:
        old_format = bytearray(batch())
        old_format[16] = 1
        for bad in (b"", bytes(batch())[:-1], bytes(batch()) * 2, b"x" * 200, bytes(old_format)):
            with pytest.raises(RefusedError) as refused:
                log.append(memoryview(bad), LIMIT)
            assert refused.value.code == ErrorCode.INVALID_RECORD
        assert log.end == 0


class TestTransactions:
    def test_the_last_stable_offset_is_the_first_open_one(self, log: PartitionLog) -> None:
        log.append(batch(), LIMIT)
        assert transactional(log, 1) == 1
        assert transactional(log, 2) == 2
        assert transactional(log, 1, sequence=1) == 3
        assert log.last_stable == 1
        log.decide(1, 0, commit=True)
        assert log.last_stable == 2
        log.decide(2, 0, commit=False)
        assert log.last_stable == log.end == 6
        assert log.aborted_in(0, log.end) == [{"producer_id": 2, "first": 2, "marker": 5}]

    def test_only_aborts_that_touch_the_range_are_named(self, log: PartitionLog) -> None:
        transactional(log, 1)
        log.decide(1, 0, commit=False)
        transactional(log, 1, sequence=1)
        log.decide(1, 0, commit=False)
        assert log.aborted_in(1, 2) == [{"producer_id": 1, "first": 0, "marker": 1}]
        assert log.aborted_in(2, 9) == [{"producer_id": 1, "first": 2, "marker": 3}]

    def test_a_decision_at_a_new_epoch_fences_the_old_one(self, log: PartitionLog) -> None:
        transactional(log, 1)
        log.decide(1, 1, commit=False)
        with pytest.raises(RefusedError) as refused:
            transactional(log, 1, sequence=1)
        assert refused.value.code == ErrorCode.INVALID_PRODUCER_EPOCH


class TestSequences:
    def test_the_last_five_batches_may_be_repeated(self, log: PartitionLog) -> None:
        for i in range(7):
            log.append(batch(2, (1, 0, 2 * i)), LIMIT)
        assert [log.append(batch(2, (1, 0, 2 * i)), LIMIT) for i in range(2, 7)] == [4, 6, 8, 10, 12]
        with pytest.raises(RefusedError) as refused:
            log.append(batch(2, (1, 0, 2)), LIMIT)
        assert refused.value.code == ErrorCode.OUT_OF_ORDER_SEQUENCE
        assert log.end == 14

    def test_sequences_wrap(self, log: PartitionLog) -> None:
        log.append(batch(2, (1, 0, 2**31 - 2)), LIMIT)
        assert log.append(batch(1, (1, 0, 0)), LIMIT) == 2

    def test_a_refused_batch_leaves_no_trace(self, log: PartitionLog) -> None:
        log.append(batch(1, (1, 0, 0)), LIMIT)
        for bad in (batch(1, (1, 0, 5)), batch(1, (1, 1, 5))):
            with pytest.raises(RefusedError):
                log.append(bad, LIMIT)
        assert log.append(batch(1, (1, 0, 1)), LIMIT) == 1


class TestRetention:
    def test_by_size_whole_batches_go_until_the_limit_is_kept(self, log: PartitionLog) -> None:
        for _ in range(5):
            log.append(batch(padding=100), LIMIT)
        one = log.size // 5
        log.retain(max_bytes=2 * one + 1, max_ms=-1)
        assert (log.start, log.size) == (2, 3 * one)
        assert offsets(log.read(2, log.end, LIMIT, at_least_one=True)) == [2, 3, 4]

    def test_by_age_the_old_go(self, log: PartitionLog) -> None:
        for age in (9_000_000, 8_000_000, 10):
            log.append(batch(at=NOW - age), LIMIT)
        log.retain(max_bytes=-1, max_ms=5_000_000)
        assert (log.start, log.end) == (2, 3)

    def test_no_limit_keeps_all(self, log: PartitionLog) -> None:
        log.append(batch(at=1), LIMIT)
        log.retain(max_bytes=-1, max_ms=-1)
        assert log.start == 0

    @pytest.mark.parametrize(("policy", "start"), [("delete", 1), ("compact,delete", 1), ("compact", 0)])
    def test_a_compacted_topic_keeps_everything(self, policy: str, start: int) -> None:
        topics = Topics()
        limits = {"retention.ms": "5000", "retention.bytes": "1"}
        configs = [{"name": n, "value": v} for n, v in {"cleanup.policy": policy, **limits}.items()]
        wanted = {"name": "t", "count": 1, "replicas": 1, "configs": configs}
        topics.create_topics({"topics": [wanted], "validate_only": False})
        log = topics.partition("t", 0)
        log.append(batch(at=NOW - 9000), LIMIT)
        topics.retain()
        assert (log.start, log.end) == (start, 1)

    def test_undecided_records_stay(self, log: PartitionLog) -> None:
        log.append(batch(), LIMIT)
        transactional(log, 1)
        log.append(batch(), LIMIT)
        log.retain(max_bytes=0, max_ms=-1)
        assert log.start == 1

    def test_truncation_forgets_aborts_before_it(self, log: PartitionLog) -> None:
        transactional(log, 1)
        log.decide(1, 0, commit=False)
        log.truncate(2)
        assert (log.start, log.size, log.aborted_in(0, 9)) == (2, 0, [])

    def test_truncation_within_a_batch_keeps_the_batch(self, log: PartitionLog) -> None:
        log.append(batch(4), LIMIT)
        log.truncate(2)
        assert log.start == 2
        assert offsets(log.read(2, log.end, LIMIT, at_least_one=True)) == [0]
