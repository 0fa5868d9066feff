"""Bytewax: a stateful map per customer, scored in batches; recovery keeps state and offsets in SQLite.

At least once is its strongest guarantee for what it writes to Kafka.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.peers.job import Customer, Model, Payment, decision, decode, encode
from benchmarks.peers.options import options

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = tuple[Payment, list[float]]


def main() -> None:
    """Run until stopped."""
    told = options()
    model = Model(told.model)

    def keyed(messages: list[KafkaSourceMessage[bytes, bytes]]) -> Iterable[tuple[str, Payment]]:
        payments = [decode(message.value) for message in messages]
        return [(payment.customer_id, payment) for payment in payments]

    def observe(customer: Customer | None, payment: Payment) -> tuple[Customer, Row]:
        customer = customer or Customer()
        return customer, (payment, customer.observe(payment))

    def decide(batch: list[tuple[str, Row]]) -> Iterable[KafkaSinkMessage[bytes, bytes]]:
        scores = model.scores([row for _, (_, row) in batch])
        return [
            KafkaSinkMessage(key.encode(), encode(decision(payment, score)))
            for (key, (payment, _)), score in zip(batch, scores, strict=True)
        ]

    flow = Dataflow("benchmark")
    source = KafkaSource([told.bootstrap], [told.events], batch_size=1_000)
    events = op.input("events", flow, source)
    payments = op.flat_map_batch("decode", events, keyed)
    rows = op.stateful_map("features", payments, observe)
    decided = op.flat_map_batch("score", rows, decide)
    op.output("decisions", decided, KafkaSink([told.bootstrap], told.decisions))
    init_db_dir(told.state, 1)
    cli_main(flow, recovery_config=RecoveryConfig(told.state), epoch_interval=timedelta(seconds=10))


if __name__ == "__main__":
    main()
