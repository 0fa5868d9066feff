"""Where models may run, as far as the pipeline file can tell."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from feature_store.declaration.pipeline import Pipeline
from tests.support.payments import shipped_tree


def declared(device: str | None, algorithm: str) -> Pipeline:
    tree: dict[str, Any] = shipped_tree()
    tree["training"]["algorithm"] = algorithm
    if device is not None:
        tree.setdefault("serving", {})["device"] = device
    return Pipeline.model_validate(tree)


def test_the_fastest_engine_is_looked_for_unless_the_file_says_where() -> None:
    assert declared(None, "lightgbm").serving.device == "auto"
    assert declared("cpu", "lightgbm").serving.device == "cpu"
    assert declared("cuda", "xgboost").serving.device == "cuda"


def test_lightgbm_on_a_gpu_is_refused_with_the_cure() -> None:
    with pytest.raises(ValidationError, match=r"serving.device: lightgbm .* set device: auto"):
        declared("cuda", "lightgbm")
