"""Pathway: a batched UDF between two Kafka connectors; persistence keeps its input for a restart.

Its tables know no order of events, so the windows are a dictionary beside the UDF; a restart with persistence
feeds the input to it again. Exactly-once is not in the free edition: at least once is the most it promises.
"""

from __future__ import annotations

from collections import defaultdict

import pathway as pw

from benchmarks.peers.job import Customer, Model, decision, decode, encode
from benchmarks.peers.options import options

BATCH = 1_000


def main() -> None:
    """Run until stopped."""
    told = options()
    model = Model(told.model)
    customers: defaultdict[str, Customer] = defaultdict(Customer)

    def decide(values: list[bytes]) -> list[bytes]:
        payments = [decode(value) for value in values]
        rows = [customers[payment.customer_id].observe(payment) for payment in payments]
        scores = model.scores(rows)
        return [encode(decision(p, score)) for p, score in zip(payments, scores, strict=True)]

    settings = {
        "bootstrap.servers": told.bootstrap,
        "group.id": told.group,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": "6000",
    }
    events = pw.io.kafka.read(
        settings,
        told.events,
        format="raw",
        autocommit_duration_ms=100,
        max_backlog_size=20_000,
        name="events",
    )
    batched = pw.udf(decide, max_batch_size=BATCH, deterministic=True)
    decided = events.select(key=pw.this.key, decision=batched(pw.this.data))
    pw.io.kafka.write(
        decided, settings, told.decisions, format="raw", key=decided.key, value=decided.decision
    )
    kept = pw.persistence.Config(pw.persistence.Backend.filesystem(told.state))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE, persistence_config=kept if told.strongest else None)


if __name__ == "__main__":
    main()
