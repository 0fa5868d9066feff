"""Quix Streams: a stateful `apply`; state in RocksDB with a changelog topic, `processing_guarantee`."""

from __future__ import annotations

from typing import Any

from quixstreams import Application, State

from benchmarks.peers.job import Model, decision, encode, from_json, new_state, observe
from benchmarks.peers.options import options

COMMIT_S = 1.0
"""Its default is 5 s, and results are seen only at a commit."""


def main() -> None:
    """Run until stopped."""
    told = options()
    model = Model(told.model)
    app = Application(
        broker_address=told.bootstrap,
        consumer_group=told.group,
        auto_offset_reset="earliest",
        state_dir=told.state,
        processing_guarantee="exactly-once" if told.strongest else "at-least-once",
        commit_interval=COMMIT_S,
        auto_create_topics=True,
        loglevel="WARNING",
    )
    events = app.topic(told.events, key_deserializer="bytes", value_deserializer="json")
    decisions = app.topic(told.decisions, key_serializer="bytes", value_serializer="bytes")

    def decide(event: dict[str, Any], state: State) -> bytes:
        payment = from_json(event)
        row: list[float] = []
        for entity in ("own", payment.terminal_id):
            windows = state.get(entity) or new_state()
            row += observe(windows, payment.at, payment.cents)
            state.set(entity, windows)
        (score,) = model.scores([row])
        return encode(decision(payment, score))

    app.dataframe(events).apply(decide, stateful=True).to_topic(decisions)
    app.run()


if __name__ == "__main__":
    main()
