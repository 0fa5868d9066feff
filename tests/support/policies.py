"""Policy documents for tests, and events to rule on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.columns import columns_of, to_arrow
from feature_store.decode import EventDecoder
from feature_store.log import seen_schema
from streams.policies import default_document
from tests.support.payments import event

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import PolicyDocument


class Alerts:
    """Keeps what is raised: its kind and its text."""

    def __init__(self) -> None:
        self.raised: list[tuple[str, str]] = []

    def send(self, kind: str, text: str, details: object = None, *, wait_s: float = 0.0) -> None:
        del details, wait_s
        self.raised.append((kind, text))


def document_of(declared: Pipeline, version: int = 1, **changes: Any) -> PolicyDocument:
    """The file's own policy with ``changes``, as a later version."""
    return msgspec.structs.replace(default_document(declared), version=version, made_by="test", **changes)


def seen_of(pipeline: Pipeline, events: list[dict[str, Any]], **features: list[float]) -> pa.RecordBatch:
    """What a decider sees of ``events``, changes of a sound payment each; other features are 0."""
    decoder = EventDecoder(pipeline.event)
    columns = columns_of(
        pipeline.event,
        [decoder.decode(msgspec.json.encode(event(n, **each))) for n, each in enumerate(events)],
    )
    arrays = [to_arrow(spec.type, columns[name]) for name, spec in pipeline.event.fields.items()]
    zeros = np.zeros(len(events))
    arrays += [pa.array(features.get(each.name, zeros), pa.float64()) for each in pipeline.feature_vector]
    return pa.record_batch(arrays, schema=seen_schema(pipeline))
