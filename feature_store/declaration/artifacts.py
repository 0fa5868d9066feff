"""Artifacts: how a model's bytes reach the scorers."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from feature_store.declaration.base import Declared

_BUCKET = "s3://"


def _folder_or_bucket(where: str) -> str:
    if "://" in where and (not where.startswith(_BUCKET) or not where.removeprefix(_BUCKET).strip("/")):
        raise ValueError("expected a folder or s3://bucket/prefix")
    return where


class ArtifactSpec(Declared):
    """On the models topic, or in a store that keeper and scorers share."""

    store: Annotated[str, AfterValidator(_folder_or_bucket)] = Field(
        default="",
        description="a folder or s3://bucket/prefix that keeper, scorers and explainer all reach; empty: "
        "artifacts travel on the models topic",
    )
    inline_below: int = Field(
        default=67_108_864,
        ge=0,
        description="bytes: with a store, smaller artifacts stay on the topic; 0: none",
    )
