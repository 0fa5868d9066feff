"""The book's protocol is about the same events, features and truth as the pipeline that is replayed."""

from __future__ import annotations

from pathlib import Path

from feature_store.declaration.load import load_pipeline
from training.fitting import lightgbm_trees, xgboost_trees

CONFIG = Path(__file__).resolve().parents[3] / "config"


def test_the_protocol_differs_from_the_pipeline_in_what_is_trained_on() -> None:
    pipeline, protocol = (
        load_pipeline(CONFIG / f"{name}.yaml") for name in ("handbook", "handbook-protocol")
    )
    for section in ("event", "features", "outcomes", "decision"):
        assert getattr(pipeline, section) == getattr(protocol, section)
    assert pipeline.training.parameters == protocol.training.parameters == {}


def test_the_shipped_defaults_keep_what_amounts_say() -> None:
    assert lightgbm_trees.DEFAULTS["max_bin"] == 8_000
    assert lightgbm_trees.DEFAULTS["min_data_in_bin"] == 1
    assert xgboost_trees.DEFAULTS["max_bin"] == 8_192
