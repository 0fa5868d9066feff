"""A model acts only if its bytes, its features and its output are what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from feature_store.errors import ContractError
from streams.messages import Calibration, FeatureRef, Release
from streams.messages.model import artifact_key, manifest_key, release_key
from streams.models.assembly import ModelsTopic
from streams.models.champion import load_champion
from tests.support.models import small_model
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest


CHUNK = 4_096


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return private_pipeline(tmp_path, "unit")[1]


def test_columns_are_taken_by_name_whatever_their_order(pipeline: Pipeline) -> None:
    manifest, artifact = small_model(pipeline, "m1")
    champion = load_champion(manifest, artifact, pipeline.feature_vector)
    shuffled = load_champion(manifest, artifact, tuple(reversed(pipeline.feature_vector)))
    matrix = np.random.default_rng(1).uniform(0, 1_000, (50, len(pipeline.feature_vector)))
    assert (champion.margins(matrix) == shuffled.margins(matrix[:, ::-1])).all()


@pytest.mark.parametrize("damage", ["shorter", "one byte"])
def test_a_damaged_artifact_never_reaches_the_library(pipeline: Pipeline, damage: str) -> None:
    manifest, artifact = small_model(pipeline, "m1")
    broken = artifact[:-1] if damage == "shorter" else artifact[:500] + b"9" + artifact[501:]
    with pytest.raises(ContractError, match=r"bytes, expected|SHA-256"):
        load_champion(manifest, broken, pipeline.feature_vector)


def test_another_definition_of_a_feature_is_refused_by_name(pipeline: Pipeline) -> None:
    manifest, artifact = small_model(pipeline, "m1")
    features = [
        *manifest.features[:3],
        FeatureRef(manifest.features[3].name, "0" * 16),
        *manifest.features[4:],
    ]
    changed = msgspec.structs.replace(manifest, features=features)
    with pytest.raises(ContractError, match=manifest.features[3].name):
        load_champion(changed, artifact, pipeline.feature_vector)


def test_a_calibration_that_turns_the_order_round_is_refused(pipeline: Pipeline) -> None:
    manifest, artifact = small_model(pipeline, "m1")
    changed = msgspec.structs.replace(manifest, calibration=Calibration(slope=-1.0))
    with pytest.raises(ContractError, match="slope"):
        load_champion(changed, artifact, pipeline.feature_vector)


def test_text_that_is_no_model_is_refused(pipeline: Pipeline) -> None:
    manifest, _ = small_model(pipeline, "m1")
    with pytest.raises(ContractError):
        load_champion(manifest, b"tree", pipeline.feature_vector)


def _feed(topic: ModelsTopic, manifest: Manifest, artifact: bytes, *, leave_out: int | None = None) -> None:
    chunks = [artifact[start : start + CHUNK] for start in range(0, len(artifact), CHUNK)]
    for number, chunk in enumerate(chunks):
        if number != leave_out:
            topic.feed(artifact_key(manifest.version, number), chunk)
    info = msgspec.structs.replace(manifest.artifact, chunks=len(chunks))
    manifest = msgspec.structs.replace(manifest, artifact=info)
    topic.feed(manifest_key(manifest.pipeline, manifest.version), msgspec.json.encode(manifest))


def test_the_topic_gives_back_the_artifact_or_names_what_is_missing(pipeline: Pipeline) -> None:
    topic = ModelsTopic(pipeline)
    whole, artifact = small_model(pipeline, "m1")
    half, _ = small_model(pipeline, "m2")
    _feed(topic, whole, artifact)
    _feed(topic, half, artifact, leave_out=1)
    assert topic.artifact("m1") == artifact
    with pytest.raises(ContractError, match=r"m2: chunks \[1\]"):
        topic.artifact("m2")
    with pytest.raises(ContractError, match="no manifest"):
        topic.artifact("m3")


def test_epochs_never_go_back(pipeline: Pipeline) -> None:
    topic = ModelsTopic(pipeline)

    def release(epoch: int) -> bool:
        record = Release(epoch, f"m{epoch}", "2026-01-05T00:00:00Z", "test")
        return topic.feed(release_key(pipeline.name), msgspec.json.encode(record))

    assert release(3)
    assert not release(2)
    assert not release(3)
    assert topic.release is not None
    assert topic.release.epoch == 3
    assert release(4)
