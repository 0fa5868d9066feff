"""The decision messages of a step, made by column: a call per event would cost more than its features."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from feature_store.columns import from_arrow, minor_units, present, words
from feature_store.declaration.event import FieldType, Kind
from feature_store.units import to_text
from streams.messages import Decision, Source
from streams.scorer.evidence import action_names
from streams.scorer.records import BY_KEY, Decided

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from feature_store.carried import Carried
    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.evidence import Evidence
    from streams.scorer.intake import Accepted
    from streams.scorer.records import SourceRecord

_encode_lines = msgspec.json.Encoder().encode_lines
_EXACT_AS_FLOAT = 10**15
"""A number of up to 15 digits comes out of a float as it went in (IEEE 754 binary64)."""


class DecisionWriter:
    """Writes down what was decided about each event."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._topic = pipeline.topics.events
        self._events = pipeline.whole.topics.events
        self._key_name = pipeline.whole.event.key
        self._key = pipeline.event.fields[self._key_name].type
        self._time = pipeline.event.time
        self._passthrough = [(name, pipeline.event.fields[name].type) for name in pipeline.event.passthrough]
        self._event: Any = msgspec.defstruct(
            "Passed", [(name, Any) for name, _ in self._passthrough], frozen=True, gc=False
        )

    def write(self, epoch: int, accepted: Accepted, evidence: Evidence) -> list[Decided]:
        """One message per accepted event, in order."""
        records = accepted.records
        if not records:
            return []
        messages = map(
            Decision,
            accepted.ids,
            instants(accepted.events.column(self._time)),
            repeat(to_text(evidence.decided_at)),
            self._passed(accepted.events),
            action_names(evidence.actions),
            action_names(evidence.policy_actions),
            evidence.propensities.tolist(),
            _numbers(evidence.scores),
            evidence.models,
            evidence.reasons,
            evidence.rules,
            evidence.fallbacks,
            evidence.shadows,
            repeat(epoch),
            map(Source, repeat(self._topic), accepted.partitions.tolist(), [each.offset for each in records]),
            accepted.late.tolist(),
        )
        if accepted.carried is not None:
            messages = map(_from, messages, self._origins(accepted.carried))
        if evidence.queues:
            messages = map(_queued, messages, evidence.queues)
        # A list: msgspec 0.22 never lets go of any other iterable, nor of the columns that it holds.
        lines = _encode_lines(list(messages)).split(b"\n")  # no line break stands in JSON unescaped
        if accepted.carried is not None:
            records = self._as_the_events(accepted)
        return list(map(Decided, records, accepted.ids, evidence.models, lines))

    def _as_the_events(self, accepted: Accepted) -> list[SourceRecord]:
        """Keyed as the events are, and with them where that key belongs."""
        keys = from_arrow(self._key, accepted.events.column(self._key_name))
        records = zip(accepted.records, keys, strict=True)
        return [record._replace(key=str(key).encode(), partition=BY_KEY) for record, key in records]

    def _origins(self, carried: Carried) -> Iterator[Source]:
        return map(Source, repeat(self._events), carried.partitions.tolist(), carried.offsets.tolist())

    def _passed(self, events: pa.RecordBatch) -> Sequence[Any]:
        """The declared pass-through fields, as one object per event."""
        if not self._passthrough:
            return [{}] * events.num_rows
        columns = [_plain(kind, events.column(name)) for name, kind in self._passthrough]
        return list(map(self._event, *columns))


def _queued(decision: Decision, queue: str | None) -> Decision:
    return decision if queue is None else msgspec.structs.replace(decision, queue=queue)


def _from(decision: Decision, origin: Source) -> Decision:
    return msgspec.structs.replace(decision, origin=origin)


def instants(column: pa.Array[Any]) -> Sequence[str | None]:
    """Instants as they stand in messages: ``to_text`` of each."""
    micros = words(column)
    if column.null_count:
        micros = np.where(present(column), micros, 0)
    texts = [f"{text}Z" for text in np.datetime_as_string(micros.view("M8[us]"), unit="us").tolist()]
    if not column.null_count:
        return texts
    return [text if known else None for text, known in zip(texts, column.is_valid().to_pylist(), strict=True)]


def _plain(kind: FieldType, column: pa.Array[Any]) -> Sequence[Any]:
    """A column as it is written in a message."""
    if kind.kind is Kind.TIMESTAMP:
        return instants(column)
    if kind.kind is not Kind.DECIMAL:
        return column.to_pylist()
    minor = minor_units(column)
    values: list[Any]
    if kind.scale == 0:
        values = minor.tolist()
    elif np.abs(minor).max(initial=0) < _EXACT_AS_FLOAT:
        values = (minor / 10**kind.scale).tolist()
    else:
        values = [_decimal(each, kind.scale) for each in minor.tolist()]
    if column.null_count:
        known = column.is_valid().to_pylist()
        return [value if there else None for value, there in zip(values, known, strict=True)]
    return values


def _decimal(minor: int, scale: int) -> msgspec.Raw:
    sign, whole = ("-", -minor) if minor < 0 else ("", minor)
    digits = str(whole).zfill(scale + 1)
    return msgspec.Raw(f"{sign}{digits[:-scale]}.{digits[-scale:]}".encode())


def _numbers(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Sequence[float | None]:
    """NaN as null."""
    missing = np.isnan(values)
    if not missing.any():
        return values.tolist()
    return [
        None if absent else value for value, absent in zip(values.tolist(), missing.tolist(), strict=True)
    ]
