"""Faust: an agent with a Table; its delivery guarantee is `processing_guarantee`.

State is where its documentation keeps it, in a table with a changelog topic. Tables cannot be written to in
`take()`, so the agent works event by event.
"""

from __future__ import annotations

from typing import Any

import faust

from benchmarks.peers.job import Model, decision, encode, from_json, new_state, observe
from benchmarks.peers.options import options

told = options()
model = Model(told.model)
app = faust.App(
    told.group,
    broker=f"kafka://{told.bootstrap}",
    datadir=told.state,
    topic_partitions=4,
    topic_replication_factor=1,
    processing_guarantee="exactly_once" if told.strongest else "at_least_once",
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
)
events = app.topic(told.events, key_type=bytes, value_serializer="json")
decisions = app.topic(told.decisions, key_type=bytes, value_type=bytes, value_serializer="raw")
customers = app.Table("customers", default=dict)


@app.agent(events)
async def decide(stream: Any) -> None:
    """One payment after the other."""
    async for key, event in stream.items():
        payment = from_json(event)
        states = customers[payment.customer_id]
        row: list[float] = []
        for entity in ("", payment.terminal_id):
            row += observe(states.setdefault(entity, new_state()), payment.at, payment.cents)
        customers[payment.customer_id] = states
        (score,) = model.scores([row])
        await decisions.send(key=key, value=encode(decision(payment, score)))


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARNING").execute_from_commandline()
