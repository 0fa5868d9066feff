"""Feature logs as scorers write them: payments with chosen features, scored by a small model."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.log import LogMeta, encode_log, log_schema
from feature_store.units import from_text
from streams.kafka import plain_producer, transactional_producer
from streams.messages.model import artifact_key, manifest_key
from streams.models.engine import native_engine
from streams.models.libraries import lightgbm, xgboost
from tests.support.models import manifest_of
from tests.support.payments import event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.messages import Manifest

Model = tuple["Manifest", bytes]


def vectors(pipeline: Pipeline, rows: int, seed: int = 1) -> Matrix:
    """Random feature vectors, a tenth of each missing."""
    random = np.random.default_rng(seed)
    matrix = random.gamma(2.0, 50.0, (rows, len(pipeline.feature_vector))).round(2)
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    return matrix


def fitted(pipeline: Pipeline, version: str, family: str = "lightgbm", seed: int = 1) -> Model:
    """A small model of the whole vector, fitted on such vectors."""
    matrix = vectors(pipeline, 500, seed)
    known = np.nan_to_num(matrix)
    labels = ((known[:, 0] > 120) ^ (known[:, 9] > 150)).astype(float)
    artifact = _lightgbm(matrix, labels) if family == "lightgbm" else _xgboost(matrix, labels)
    manifest = manifest_of(pipeline, version, artifact)
    return msgspec.structs.replace(manifest, family=family), artifact


def scored_log(
    pipeline: Pipeline,
    model: Model,
    partition: int,
    first: int,
    matrix: Matrix,
    *,
    actions: Sequence[str],
    let_through: Sequence[int] = (),
    traces: dict[int, list[str]] | None = None,
) -> bytes:
    """A feature log message of the payments ``first``, ``first`` + 1, …: one for each row of ``matrix``.

    ``actions`` are the policy's, repeated as needed; ``let_through`` are those of the control group.
    ``traces`` are those of events by their number.
    """
    manifest, artifact = model
    count = len(matrix)
    numbers = range(first, first + count)
    payments = [event(number) for number in numbers]
    columns: dict[str, Any] = {
        name: [payment.get(name) for payment in payments] for name in pipeline.event.fields
    }
    columns["event_time"] = [from_text(str(text)) for text in columns["event_time"]]
    columns["amount"] = [Decimal(str(amount)) for amount in columns["amount"]]
    policy = [actions[i % len(actions)] for i in range(count)]
    engine = native_engine(manifest.family, artifact)
    margins = engine.margins(matrix)
    columns |= {feature.name: matrix[:, i] for i, feature in enumerate(pipeline.feature_vector)}
    columns |= {
        "stage": [0] * count,
        "seq": list(numbers),
        "source_partition": [partition] * count,
        "source_offset": list(numbers),
        "record_time": [time // 1_000 for time in columns["event_time"]],
        "arrived_at": columns["event_time"],
        "body_digest": [b"0" * 16] * count,
        "late": [False] * count,
        "margin": margins,
        "score": 1.0 / (1.0 + np.exp(-margins)),
        "engine": [engine.name] * count,
        "model": [manifest.version] * count,
        "policy_action": policy,
        "action": ["approve" if i in let_through else action for i, action in enumerate(policy)],
        "propensity": [1.0 if action == "approve" else 0.02 for action in policy],
        "rules": [[]] * count,
        "decided_at": columns["event_time"],
        "decided_seq": [first + count - 1] * count,
    }
    schema = log_schema(pipeline)
    arrays = [
        pa.array(columns.get(field.name, [None] * count), field.type, from_pandas=True) for field in schema
    ]
    meta = LogMeta(
        pipeline=pipeline.name,
        topic=pipeline.topics.events,
        partition=partition,
        first_offset=first,
        next_offset=first + count,
        release_epoch=1,
        policy_offset=-1,
        duplicates=[],
        dead_letters=[],
        hashes={feature.name: feature.hash for feature in pipeline.feature_vector},
        traces=traces or {},
    )
    return encode_log(pa.RecordBatch.from_arrays(arrays, schema=schema), meta)


def publish_model(pipeline: Pipeline, bootstrap: str, model: Model) -> None:
    """Put a version on the models topic."""
    manifest, artifact = model
    producer = plain_producer(bootstrap)
    topic = pipeline.topics.models
    producer.produce(topic, key=artifact_key(manifest.version, 0), value=artifact, partition=0)
    key = manifest_key(pipeline.name, manifest.version)
    producer.produce(topic, key=key, value=msgspec.json.encode(manifest), partition=0)
    assert producer.flush(30) == 0


def write_logs(pipeline: Pipeline, bootstrap: str, logs: Sequence[tuple[int, bytes]]) -> None:
    """Commit feature log messages, each on its partition, as a scorer does."""
    producer = transactional_producer(bootstrap, f"{pipeline.name}.scorer")
    producer.init_transactions(30)
    producer.begin_transaction()
    for partition, message in logs:
        producer.produce(pipeline.topics.features, value=message, partition=partition)
    producer.commit_transaction(30)


def _lightgbm(matrix: Matrix, labels: np.ndarray[Any, Any]) -> bytes:
    parameters = {"objective": "binary", "num_leaves": 15, "verbose": -1, "num_threads": 1, "min_data": 5}
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, labels), 40).model_to_string().encode()


def _xgboost(matrix: Matrix, labels: np.ndarray[Any, Any]) -> bytes:
    parameters = {"objective": "binary:logistic", "max_depth": 4, "base_score": 0.5, "nthread": 1}
    return bytes(xgboost.train(parameters, xgboost.DMatrix(matrix, labels), 40).save_raw("ubj"))
