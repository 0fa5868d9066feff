"""What an explanation says, and which events get one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from feature_store.errors import ContractError
from feature_store.log import decode_log, delta_schema, encode_log
from streams.explainer.explain import Explained, Explaining, Unexplained
from streams.messages.explanation import Explanation
from streams.models.engine import native_engine
from streams.models.exact import ExactModel
from tests.support.payments import private_pipeline
from tests.support.scored import Model, fitted, scored_log, vectors

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

FAMILIES = ["lightgbm", "xgboost"]


class Shelf:
    """Versions that are there."""

    def __init__(self, *models: Model) -> None:
        self._models = {manifest.version: ExactModel(manifest, artifact) for manifest, artifact in models}

    def get(self, version: str) -> ExactModel | None:
        return self._models.get(version)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return private_pipeline(tmp_path, "unit")[1]


def explained(pipeline: Pipeline, message: bytes, *models: Model) -> list[Explained]:
    found = []
    for some in Explaining(pipeline, Shelf(*models)).rows(message):
        assert not isinstance(some, Unexplained)
        found += some
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_base_and_contributions_make_the_margin(pipeline: Pipeline, family: str) -> None:
    manifest, artifact = fitted(pipeline, "m-1", family)
    matrix = vectors(pipeline, 200, seed=2)
    base, contributions = ExactModel(manifest, artifact).attribute(matrix)
    margins = native_engine(family, artifact).margins(matrix)
    assert np.ptp(base) < 1e-6
    assert np.allclose(base + contributions.sum(axis=1), margins, atol=1e-5 if family == "xgboost" else 1e-9)


def test_another_artifact_is_refused_before_a_library_sees_it(pipeline: Pipeline) -> None:
    manifest, artifact = fitted(pipeline, "m-1")
    with pytest.raises(ContractError, match="m-1: the artifact is not the one"):
        ExactModel(manifest, artifact[:-1])


@pytest.mark.parametrize("family", FAMILIES)
def test_stopped_events_are_explained_and_no_others(pipeline: Pipeline, family: str) -> None:
    model = fitted(pipeline, "m-1", family)
    matrix = vectors(pipeline, 8)
    log = scored_log(
        pipeline, model, 3, 100, matrix, actions=["approve", "review", "approve", "decline"], let_through=[5]
    )
    found = explained(pipeline, log, model)
    assert [each.event_id for each in found] == ["e101", "e103", "e105", "e107"]
    assert {(each.partition, each.model) for each in found} == {(3, "m-1")}
    assert [each.key for each in found] == [b"c1", b"c3", b"c5", b"c7"]
    margins = native_engine(family, model[1]).margins(matrix)
    for each, row in zip(found, [1, 3, 5, 7], strict=True):
        told = msgspec.json.decode(each.message, type=Explanation)
        assert (told.event_id, told.model, told.margin) == (each.event_id, "m-1", margins[row])
        assert (told.source.topic, told.source.partition, told.source.offset) == ("unit-events", 3, 100 + row)
        assert told.event_time == f"2026-01-05T00:01:{40 + row}.000000Z"
        assert told.base + sum(reason.contribution for reason in told.reasons) == pytest.approx(
            told.margin, abs=1e-5
        )
        weights = [abs(reason.contribution) for reason in told.reasons]
        assert weights == sorted(weights, reverse=True)
        assert 0.0 not in weights
        assert {reason.method for reason in told.reasons} == {"treeshap"}
        heaviest = told.reasons[0]
        column = [feature.name for feature in pipeline.feature_vector].index(heaviest.feature)
        value = matrix[row, column]
        assert heaviest.value == (None if np.isnan(value) else value)


def test_two_models_in_one_message_are_each_asked_for_their_own_rows(pipeline: Pipeline) -> None:
    one, other = fitted(pipeline, "m-1"), fitted(pipeline, "m-2", "xgboost")
    matrix = vectors(pipeline, 9)
    logs = [scored_log(pipeline, model, 0, 0, matrix, actions=["review"]) for model in (one, other)]
    (mine, meta), (theirs, _) = (decode_log(log) for log in logs)
    rows = [(theirs if n % 3 == 0 else mine).slice(n, 1) for n in range(9)]
    (mixed,) = pa.Table.from_batches(rows).combine_chunks().to_batches()
    found = explained(pipeline, encode_log(mixed, meta, no_deltas(pipeline)), one, other)
    assert {each.event_id: each.model for each in found} == {
        f"e{n}": "m-2" if n % 3 == 0 else "m-1" for n in range(9)
    }
    for each in found:
        told = msgspec.json.decode(each.message, type=Explanation)
        total = told.base + sum(reason.contribution for reason in told.reasons)
        assert total == pytest.approx(told.margin, abs=1e-5)


def no_deltas(pipeline: Pipeline) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=delta_schema(pipeline))


def test_what_does_not_count_is_not_explained(pipeline: Pipeline) -> None:
    model = fitted(pipeline, "m-1")
    log = scored_log(pipeline, model, 0, 0, vectors(pipeline, 4), actions=["review"])
    assert len(explained(pipeline, log, model)) == 4
    assert list(Explaining(pipeline, Shelf(model)).rows(log, counts=lambda meta: meta.claim > 0)) == []


def test_many_rows_come_in_parts(pipeline: Pipeline) -> None:
    model = fitted(pipeline, "m-1")
    log = scored_log(pipeline, model, 0, 0, vectors(pipeline, 250), actions=["review"])
    parts = list(Explaining(pipeline, Shelf(model)).rows(log))
    assert [len(part) for part in parts if isinstance(part, list)] == [100, 100, 50]


def test_a_version_that_is_gone_is_counted(pipeline: Pipeline) -> None:
    model = fitted(pipeline, "m-1")
    log = scored_log(pipeline, model, 0, 0, vectors(pipeline, 6), actions=["review", "approve"])
    assert list(Explaining(pipeline, Shelf()).rows(log)) == [Unexplained("m-1", 3)]


def test_what_no_model_scored_is_left_out(pipeline: Pipeline) -> None:
    manifest, artifact = fitted(pipeline, "m-1")
    log = scored_log(pipeline, (manifest, artifact), 0, 0, vectors(pipeline, 0), actions=["review"])
    assert explained(pipeline, log, (manifest, artifact)) == []


def test_what_is_no_log_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(ContractError, match="not a feature log message"):
        list(Explaining(pipeline, Shelf()).rows(b"{}"))


def test_the_log_of_a_stage_that_does_not_decide_is_refused(pipeline: Pipeline) -> None:
    rows, meta = decode_log(
        scored_log(pipeline, fitted(pipeline, "m-1"), 0, 0, vectors(pipeline, 2), actions=["review"])
    )
    undecided = encode_log(rows.drop_columns(["margin", "policy_action"]), meta)
    with pytest.raises(ContractError, match="the feature log lacks margin, policy_action"):
        list(Explaining(pipeline, Shelf()).rows(undecided))


def test_an_explanation_goes_on_with_the_trace_of_its_event(pipeline: Pipeline) -> None:
    model = fitted(pipeline, "m-1")
    parent, state = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "congo=t61rcWkgMzE"
    log = scored_log(
        pipeline, model, 3, 100, vectors(pipeline, 3), actions=["review"], traces={101: [parent, state]}
    )
    first, second, third = explained(pipeline, log, model)
    assert (first.trace, third.trace) == ((), ())
    assert second.trace == (("traceparent", parent.encode()), ("tracestate", state.encode()))
