"""Artifacts: how a model's bytes reach the scorers."""

from __future__ import annotations

from pydantic import Field

from feature_store.declaration.base import Declared


class ArtifactSpec(Declared):
    """On the models topic, or in a store that keeper and scorers share."""

    store: str = Field(
        default="",
        description="a folder or s3://bucket/prefix that keeper, scorers and explainer all reach; empty: "
        "artifacts travel on the models topic",
    )
    inline_below: int = Field(
        default=67_108_864,
        ge=0,
        description="bytes: with a store, smaller artifacts stay on the topic; 0: none",
    )
