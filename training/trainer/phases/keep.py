"""Keep: what a run leaves in its folder, ``result.json`` last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feature_store.whole_file import write_atomically
from training.contract import (
    ARTIFACT,
    REFUSED_ARTIFACT,
    REFUSED_MANIFEST,
    save_result,
)

if TYPE_CHECKING:
    from pathlib import Path

    from training.contract import TrainingResult
    from training.fitting.challenger import Challenger


def keep(folder: Path, result: TrainingResult, candidate: Challenger | None) -> None:
    """Write what is released, or what was refused, where there is one; then the result."""
    if candidate is not None and result.verdict == "passed":
        write_atomically(folder / ARTIFACT, candidate.artifact)
    elif candidate is not None:
        manifest = msgspec.structs.replace(candidate.manifest, metrics=result.metrics)
        write_atomically(folder / REFUSED_ARTIFACT, candidate.artifact)
        write_atomically(folder / REFUSED_MANIFEST, msgspec.json.encode(manifest))
    save_result(folder, result)
