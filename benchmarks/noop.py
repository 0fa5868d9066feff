"""The ceiling: what a scorer must do even if it had nothing to think about.

Consume, decode as the scorer does, a feature log of the same width, a decision of the same size with the same
headers, one transaction per batch. No features, no model, no rules, no memory of ids: constants stand in.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.declaration.load import load_pipeline
from feature_store.decode_batch import BatchDecoder
from feature_store.log import LogMeta, encode_log, log_schema
from streams.kafka import TopicPartition, group_consumer, start_offsets, transactional_producer
from streams.scorer.run import stop_on_signals

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message, Producer

_POLL_S = 0.1
_TIMEOUT_S = 30.0
_DECISION = (
    b'{"event_id":"%b","event_time":"2026-01-01T00:00:25.920Z","decided_at":"2026-01-01T00:00:25.920Z",'
    b'"event":{"customer_id":"customer-00017998","terminal_id":"terminal-000052","merchant_category":"travel",'
    b'"amount":3.37,"country":"NL"},"action":"approve","policy_action":"approve","propensity":1.0,'
    b'"score":0.0014567890123456,"model":"large","reasons":[],"rules":[],"fallback":null,"shadow":{},'
    b'"release":1,"source":{"topic":"events","partition":0,"offset":123456},"late":false}'
)


class Constants:
    """A feature log in which only the event's own fields vary."""

    def __init__(self, pipeline: Pipeline, most: int) -> None:
        self._pipeline = pipeline
        self._schema = log_schema(pipeline)
        self._fields = len(pipeline.event.fields)
        self._rest = [_constant(field, most) for field in list(self._schema)[self._fields :]]
        self._hashes = {feature.name: feature.hash for feature in pipeline.feature_vector}

    def log(self, events: pa.RecordBatch, partition: int, first: int, end: int) -> bytes:
        """One message."""
        rest = [column.slice(0, events.num_rows) for column in self._rest]
        rows = pa.record_batch([*events.columns, *rest], schema=self._schema)
        meta = LogMeta(
            pipeline=self._pipeline.name,
            topic=self._pipeline.topics.events,
            partition=partition,
            first_offset=first,
            next_offset=end,
            release_epoch=1,
            policy_offset=-1,
            duplicates=[],
            dead_letters=[],
            hashes=self._hashes,
        )
        return encode_log(rows, meta)


def _constant(field: pa.Field[Any], rows: int) -> pa.Array[Any]:
    """A column of plausible width."""
    kind = field.type
    if pa.types.is_floating(kind):
        return pa.array(np.random.default_rng(1).random(rows), kind)
    if pa.types.is_fixed_size_binary(kind):
        return pa.array([bytes(16)] * rows, kind)
    if pa.types.is_string(kind):
        return pa.array(["constant"] * rows, kind)
    if pa.types.is_list(kind):
        return pa.array([[]] * rows, kind)
    return pa.array(np.zeros(rows, np.int64)).cast(kind)


def _work(
    pipeline: Pipeline,
    messages: list[Message],
    decoder: BatchDecoder,
    constants: Constants,
    producer: Producer,
) -> dict[int, int]:
    """Decode, log and decide a batch; partition -> next offset."""
    keys = [message.key() for message in messages]
    places = np.array([(message.partition() or 0, message.offset() or 0) for message in messages])
    decoded = decoder.decode([message.value() for message in messages])
    ids = decoded.events.column(pipeline.event.id).to_pylist()
    positions = {}
    for partition in np.unique(places[:, 0]).tolist():
        mine = np.flatnonzero(places[:, 0] == partition)
        first, end = int(places[mine[0], 1]), int(places[mine[-1], 1]) + 1
        rows = decoded.events if len(mine) == len(messages) else decoded.events.take(mine)
        producer.produce(
            pipeline.topics.features, value=constants.log(rows, partition, first, end), partition=partition
        )
        positions[partition] = end
    topic = pipeline.topics.decisions
    for event_id, key, partition in zip(ids, keys, places[:, 0].tolist(), strict=True):
        name = str(event_id).encode()
        headers: list[tuple[str, str | bytes | None]] = [("event_id", name), ("model", b"large")]
        producer.produce(topic, value=_DECISION % name, key=key, headers=headers, partition=partition)
    return positions


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--id", required=True)
    told = parser.parse_args()
    pipeline = load_pipeline(told.config)
    most, topic = pipeline.serving.batch.max_events, pipeline.topics.events
    decoder, constants = BatchDecoder(pipeline.event), Constants(pipeline, most)
    consumer = group_consumer(told.broker, told.id)
    consumer.assign([TopicPartition(topic, p, at) for p, at in start_offsets(consumer, topic).items()])
    producer = transactional_producer(told.broker, told.id)
    producer.init_transactions(_TIMEOUT_S)
    stop = stop_on_signals()
    while not stop.is_set():
        message = consumer.poll(_POLL_S)
        if message is None:
            continue
        messages = [message, *consumer.consume(most - 1, 0)]
        producer.begin_transaction()
        positions = _work(pipeline, messages, decoder, constants, producer)
        offsets = [TopicPartition(topic, p, at) for p, at in positions.items()]
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), _TIMEOUT_S)
        producer.commit_transaction(_TIMEOUT_S)
    consumer.close()


if __name__ == "__main__":
    main()
