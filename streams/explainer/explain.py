"""From one feature log message to explanations: its stopped rows, each by the version that scored it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.declaration.decision import Action
from feature_store.log import decode_log, feature_matrix, require_columns
from feature_store.units import to_text
from streams.kafka import NO_TRACE, Trace, trace_from
from streams.messages import Source
from streams.messages.explanation import Explanation
from streams.reasons import ReasonTeller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.log import LogMeta
    from streams.models.exact import ExactModel

_ROWS = 100
"""So many are explained at once: less than a second."""
_READ = ("model", "margin", "policy_action")
"""Columns of a log of decisions; that of an earlier stage has none of them."""

_encode = msgspec.json.Encoder().encode


class KnownModels(Protocol):
    """Where versions come from."""

    def get(self, version: str) -> ExactModel | None:
        """The version; None where it is gone."""
        ...


class Explained(NamedTuple):
    """A record for the explanations topic."""

    partition: int
    key: bytes
    event_id: str
    model: str
    message: bytes
    trace: Trace = NO_TRACE


class Unexplained(NamedTuple):
    """So many rows of a version that is gone."""

    model: str
    rows: int


class Explaining:
    """Explains the stopped rows of log messages in the words of one pipeline."""

    def __init__(self, pipeline: Pipeline, models: KnownModels) -> None:
        self._teller = ReasonTeller(pipeline)
        self._models = models
        self._key = pipeline.whole.event.key

    def rows(
        self, message: bytes, after: int = -1, counts: Callable[[LogMeta], bool] | None = None
    ) -> Iterator[list[Explained] | Unexplained]:
        """The explanations of one message, some at a time, of events behind the source offset ``after``;
        none where ``counts`` says that the message does not count.

        Raises ContractError for what is no feature log message.
        """
        batch, meta = decode_log(message)
        if counts is not None and not counts(meta):
            return
        require_columns(batch, [*_READ, self._key])
        new = pc.greater(batch.column("source_offset"), pa.scalar(after))
        stopped = batch.filter(pc.and_(new, _stopped(batch)))
        versions = [str(version) for version in stopped.column("model").to_pylist()]
        for version in dict.fromkeys(versions):
            model = self._models.get(version)
            mine = stopped.filter(pa.array([each == version for each in versions], pa.bool_()))
            if model is None:
                yield Unexplained(version, mine.num_rows)
                continue
            for at in range(0, mine.num_rows, _ROWS):
                yield self._explained(model, mine.slice(at, _ROWS), meta)

    def _explained(self, model: ExactModel, rows: pa.RecordBatch, meta: LogMeta) -> list[Explained]:
        matrix = feature_matrix(rows, model.features)
        base, contributions = model.attribute(matrix)
        reasons = self._teller.tell(model.features, matrix, contributions, "treeshap")
        columns = zip(
            rows.column("event_id").to_pylist(),
            rows.column("event_time").cast(pa.timestamp("us")).cast(pa.int64()).to_pylist(),
            rows.column("source_offset").to_pylist(),
            rows.column("margin").to_pylist(),
            rows.column(self._key).to_pylist(),
            base.tolist(),
            reasons,
            strict=True,
        )
        found = []
        for event_id, time, offset, margin, key, start, why in columns:
            source = Source(meta.topic, meta.partition, offset)
            told = Explanation(
                str(event_id), to_text(time), model.manifest.version, start, margin, why, source
            )
            key_text = str(key).encode()
            trace = trace_from(meta.traces.get(offset))
            version = model.manifest.version
            found.append(Explained(meta.partition, key_text, told.event_id, version, _encode(told), trace))
        return found


def _stopped(batch: pa.RecordBatch) -> pa.Array[pa.BooleanScalar]:
    """Those that model and rules stopped, the control group among them, where a model gave a score."""
    scored = pc.and_(pc.is_valid(batch.column("model")), pc.is_valid(batch.column("margin")))
    return pc.and_(scored, pc.not_equal(batch.column("policy_action"), pa.scalar(Action.APPROVE.value)))
