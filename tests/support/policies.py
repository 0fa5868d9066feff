"""Policy documents for tests, and events to rule on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.columns import columns_of, to_arrow
from feature_store.decode import EventDecoder
from feature_store.log import seen_schema
from streams.messages import Calibration
from streams.models.canary import Canary, CanaryDraw
from streams.models.watcher import Acting
from streams.policies import default_document
from streams.scorer.decider import Decider
from streams.scorer.intake import Accepted
from streams.scorer.records import SourceRecord
from tests.support.payments import MONDAY, event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.messages import PolicyDocument
    from streams.models.champion import Champion
    from streams.models.engine import Vector
    from streams.policies import ActivePolicy
    from streams.scorer.evidence import Evidence


class Alerts:
    """Keeps what is raised: its kind and its text."""

    def __init__(self) -> None:
        self.raised: list[tuple[str, str]] = []

    def send(self, kind: str, text: str, details: object = None, *, wait_s: float = 0.0) -> None:
        del details, wait_s
        self.raised.append((kind, text))

    @property
    def kinds(self) -> list[str]:
        """The kinds alone."""
        return [kind for kind, _ in self.raised]


def document_of(declared: Pipeline, version: int = 1, **changes: Any) -> PolicyDocument:
    """The file's own policy with ``changes``, as a later version."""
    return msgspec.structs.replace(default_document(declared), version=version, made_by="test", **changes)


def seen_of(pipeline: Pipeline, events: list[dict[str, Any]], **features: Sequence[float]) -> pa.RecordBatch:
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


class FixedModel:
    """A model whose margins are told; its score is 1 / (1 + exp(-margin))."""

    def __init__(self, version: str, margins: Sequence[float] | Exception) -> None:
        self.version = version
        self.engine = SimpleNamespace(name="fixed")
        self.manifest = SimpleNamespace(calibration=Calibration())
        self.rows: list[int] = []
        self._margins = margins

    def margins(self, matrix: Matrix) -> Vector:
        """The told margins of the rows, each known by the number in its first column."""
        self.rows = matrix[:, 0].astype(int).tolist()
        if isinstance(self._margins, Exception):
            raise self._margins
        return np.array([self._margins[row] for row in self.rows])

    def scores(self, margins: Vector) -> Vector:
        return np.asarray(1.0 / (1.0 + np.exp(-margins)))


def matrix_of(pipeline: Pipeline, rows: int, **features: Sequence[float]) -> Matrix:
    """A matrix that numbers its rows in the first column; features that are not named are 0."""
    matrix = np.zeros((rows, len(pipeline.feature_vector)))
    for position, feature in enumerate(pipeline.feature_vector):
        matrix[:, position] = features.get(feature.name, 0.0)
    matrix[:, 0] = np.arange(rows)
    return matrix


def decide(
    pipeline: Pipeline,
    policy: ActivePolicy,
    events: list[dict[str, Any]],
    champion: FixedModel | None = None,
    *,
    shadows: Sequence[FixedModel] = (),
    canary: FixedModel | None = None,
    share: float = 0.5,
    now: int = MONDAY,
    arrived: Sequence[int] = (),
    **features: Sequence[float],
) -> Evidence:
    """What a scorer finds about ``events``, changes of a sound payment each."""
    ids = [f"e{n}" for n in range(len(events))]
    records = [SourceRecord(0, n, None, None, 0, when) for n, when in enumerate(arrived or [now] * len(ids))]
    seen = seen_of(pipeline, events, **features)
    accepted = Accepted(records, ids, [], seen, np.zeros(len(ids), np.bool_))
    acting = Acting(1, cast("Champion", champion), cast("tuple[Champion, ...]", tuple(shadows)))
    if canary is not None:
        draw = CanaryDraw(pipeline.name, canary.version, share)
        acting = replace(acting, canary=Canary(cast("Champion", canary), draw, pipeline.event.key))
    matrix = matrix_of(pipeline, len(ids), **features)
    return Decider(pipeline).decide(acting, policy, accepted, seen, matrix, now)
