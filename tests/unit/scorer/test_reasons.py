"""Reasons in decisions: of stopped events, the heaviest first, by the method that the pipeline file names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from streams.models.champion import load_champion
from streams.models.libraries import lightgbm
from streams.scorer.reasons import MOST, StoppedReasons
from tests.support.models import manifest_of
from tests.support.payments import private_pipeline
from tests.support.scored import fitted, vectors

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.models.champion import Champion

ROWS = np.array([1, 4])


def explaining(folder: Path, how: str) -> Pipeline:
    return private_pipeline(folder, "unit", serving={"explanations": how})[1]


def champion_of(pipeline: Pipeline, family: str = "lightgbm") -> Champion:
    manifest, artifact = fitted(pipeline, "m-1", family)
    exact = pipeline.serving.explanations == "inline"
    return load_champion(manifest, artifact, pipeline.feature_vector, exact=exact)


@pytest.mark.parametrize("family", ["lightgbm", "xgboost"])
@pytest.mark.parametrize(("how", "method"), [("path", "path"), ("async", "path"), ("inline", "treeshap")])
def test_stopped_events_alone_have_reasons(tmp_path: Path, how: str, method: str, family: str) -> None:
    pipeline = explaining(tmp_path, how)
    champion, matrix = champion_of(pipeline, family), vectors(pipeline, 6)
    found = StoppedReasons(pipeline).of(champion, matrix, ROWS)
    assert [len(reasons) for reasons in found] == [0, MOST, 0, 0, MOST, 0]
    names = [feature.name for feature in pipeline.feature_vector]
    exact = champion.exact.attribute(matrix).contributions if champion.exact else None
    expected = champion.contributions(matrix, np.arange(6)) if exact is None else exact
    assert expected is not None
    for row in ROWS:
        reasons = found[row]
        assert {reason.method for reason in reasons} == {method}
        heaviest = np.sort(np.abs(expected[row]))[::-1][:MOST]
        assert [abs(reason.contribution) for reason in reasons] == pytest.approx(heaviest)
        for reason in reasons:
            column = names.index(reason.feature)
            assert reason.contribution == pytest.approx(expected[row, column])
            value = matrix[row, column]
            assert reason.value == (None if np.isnan(value) else value)
            assert reason.text.endswith("no value") is (reason.value is None)


def test_a_model_reads_its_own_columns(tmp_path: Path) -> None:
    pipeline = explaining(tmp_path, "path")
    manifest, artifact = fitted(pipeline, "m-1")
    matrix = vectors(pipeline, 6)
    plain = StoppedReasons(pipeline).of(champion_of(pipeline), matrix, ROWS)
    turned = load_champion(manifest, artifact, tuple(reversed(pipeline.feature_vector)))
    assert StoppedReasons(pipeline).of(turned, matrix[:, ::-1], ROWS) == plain


def test_no_reasons_where_none_are_wanted_or_to_be_had(tmp_path: Path) -> None:
    off = explaining(tmp_path, "off")
    matrix = vectors(off, 6)
    nothing: list[list[object]] = [[]] * 6
    champion = champion_of(off)
    assert StoppedReasons(off).of(champion, matrix, ROWS) == nothing
    wanted = StoppedReasons(explaining(tmp_path, "path"))
    assert wanted.of(None, matrix, ROWS) == nothing
    assert wanted.of(champion, matrix, ROWS[:0]) == nothing
    assert wanted.of(replace(champion, packed=None), matrix, ROWS) == nothing


def test_a_model_that_cannot_explain_itself_acts_without_reasons(tmp_path: Path) -> None:
    pipeline = explaining(tmp_path, "inline")
    matrix = vectors(pipeline, 300)
    data = lightgbm.Dataset(matrix, np.nan_to_num(matrix[:, 0]) > 100)
    options = {"objective": "binary", "linear_tree": True, "num_threads": 1, "verbosity": -1}
    artifact = lightgbm.train(options, data, 3).model_to_string().encode()
    manifest = manifest_of(pipeline, "m-1", artifact)
    champion = load_champion(manifest, artifact, pipeline.feature_vector, exact=True)
    assert np.isfinite(champion.margins(matrix[:6])).all()
    assert StoppedReasons(pipeline).of(champion, matrix[:6], ROWS) == [[]] * 6
