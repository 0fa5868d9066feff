"""Manifests for tests that need one to name a version, and no model."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.messages import ArtifactInfo, Calibration, Manifest


def bare_manifest(version: str = "v1", pipeline: str = "payments", **changes: Any) -> Manifest:
    """A manifest that says next to nothing, but for ``changes``."""
    bare = Manifest(
        version=version,
        pipeline=pipeline,
        family="lightgbm",
        features=[],
        artifact=ArtifactInfo.of(b"trees"),
        calibration=Calibration(),
        trained_at="",
        fitted_from="",
        fitted_until="",
        metrics={},
        rows=1,
        frauds=1,
    )
    return msgspec.structs.replace(bare, **changes)
