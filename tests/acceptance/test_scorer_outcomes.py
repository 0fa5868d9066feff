"""What became known reaches the features of the events after it, once, through kills of the scorer."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from feature_store.log import decode_whole_log
from streams.kafka import plain_producer
from tests.support.kafka import feed_of, read_until
from tests.support.outcomes import FRAUDS, counting_frauds, delta
from tests.support.payments import encoded
from tests.support.processes import scorer

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

    from streams.broker import Broker

pytestmark = pytest.mark.acceptance


class Gate:
    """A scorer of one customer's partition, and what can be done to it."""

    def __init__(self, broker: Broker, prefix: str, folder: Path, stack: ExitStack) -> None:
        self._config, self.pipeline = counting_frauds(folder, prefix)
        self._bootstrap = broker.bootstrap
        self._feed = feed_of(self.pipeline, broker.bootstrap)
        self._stack = stack
        self._process: Popen[bytes] | None = None

    def start(self) -> None:
        """Start the scorer; one that runs is killed before."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._process = self._stack.enter_context(scorer(self._config, self._bootstrap))

    def frauds_seen_by(self, number: int) -> float:
        """Send event ``number`` of customer c1; how many frauds of the customer were known to it."""
        self._feed.send([encoded(number, customer_id="c1")])
        rows, _ = self._logged(lambda rows, _: any(row["event_id"] == f"e{number}" for row in rows))
        (row,) = (row for row in rows if row["event_id"] == f"e{number}")
        return float(row[FRAUDS])

    def tell(self, *messages: bytes) -> None:
        """Send outcome deltas to the partition of customer c1."""
        (partition,) = self._feed.sent
        producer = plain_producer(self._bootstrap)
        for message in messages:
            producer.produce(self.pipeline.topics.entity_outcomes, value=message, partition=partition)
        assert producer.flush(30) == 0

    def wait_until_applied(self, route_seq: int) -> list[int]:
        """Return every route_seq that was applied, once ``route_seq`` was."""
        _, deltas = self._logged(lambda _, deltas: any(d["route_seq"] == route_seq for d in deltas))
        return [found["route_seq"] for found in deltas]

    def _logged(self, enough: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        def decoded(seen: list[Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            found = [decode_whole_log(record.value) for record in seen]
            rows = [row for batch, _, _ in found for row in batch.to_pylist()]
            return rows, [row for _, _, deltas in found if deltas is not None for row in deltas.to_pylist()]

        seen = read_until(
            self._bootstrap, [self.pipeline.topics.features], lambda seen: bool(enough(*decoded(seen)))
        )
        return decoded(seen)


def _outcomes_survive(broker: Broker, unique: str, folder: Path) -> None:
    def known(route_seq: int, number: int, fraud: int = 1) -> bytes:
        return delta(route_seq, number, fraud=fraud, entity={"customer_id": "c1"})

    with ExitStack() as stack:
        gate = Gate(broker, unique, folder, stack)
        gate.start()
        assert gate.frauds_seen_by(1) == 0
        gate.tell(known(1, 1), b"not a delta", known(2, 7))
        assert gate.wait_until_applied(2) == [1, 2]  # no event comes: outcomes make a step of their own
        gate.start()
        assert gate.frauds_seen_by(12) == 2
        gate.tell(known(1, 1), known(2, 7), known(3, 1, fraud=-1))
        assert gate.wait_until_applied(3) == [1, 2, 3]
        assert gate.frauds_seen_by(13) == 1
        gate.start()
        assert gate.frauds_seen_by(14) == 1
        assert gate.wait_until_applied(3) == [1, 2, 3]


@pytest.mark.kafka
def test_outcomes_survive_kills_on_apache_kafka(apache_kafka: Broker, unique: str, tmp_path: Path) -> None:
    _outcomes_survive(apache_kafka, unique, tmp_path)


def test_outcomes_survive_kills_on_the_embedded_broker(
    embedded_broker: Broker, unique: str, tmp_path: Path
) -> None:
    _outcomes_survive(embedded_broker, unique, tmp_path)
