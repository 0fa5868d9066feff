"""Where a version comes from: data, definitions, recipe, code, parent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.units import to_text
from training.code_version import code_version

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest
    from training.contract import TrainingResult
    from training.keeper.runs import Run


class Lineage(msgspec.Struct, frozen=True):
    """What a training run made a version from, and what was found about it.

    ``parent``: the champion that it was measured against. ``definitions``: feature -> hash of its definition.
    ``recipe``: family and parameters as they were really used. ``package``, ``commit``, ``files``: the code.
    """

    run_id: str
    why: str
    as_of: str
    parent: str | None
    fitted_from: str
    fitted_until: str
    judged_from: str
    judged_until: str
    rows: int
    frauds: int
    definitions: dict[str, str]
    recipe: Any
    seed: int
    package: str
    commit: str | None
    metrics: dict[str, float]
    champion_metrics: dict[str, float]
    reasons: list[str]
    files: str = ""


def lineage_of(
    run: Run, result: TrainingResult, manifest: Manifest | None, parent: str | None, pipeline: Pipeline
) -> Lineage:
    """The lineage of what ``run`` made; ``manifest`` None: it came to no model."""
    made, code = manifest or result, code_version()
    features = manifest.features if manifest else pipeline.feature_vector
    family = manifest.family if manifest else pipeline.training.algorithm
    recipe = manifest.recipe if manifest else None
    return Lineage(
        run_id=run.run_id,
        why=run.why,
        as_of=to_text(run.as_of),
        parent=parent,
        fitted_from=made.fitted_from,
        fitted_until=made.fitted_until,
        judged_from=result.judged_from,
        judged_until=result.judged_until,
        rows=made.rows,
        frauds=made.frauds,
        definitions={feature.name: feature.hash for feature in features},
        recipe=msgspec.to_builtins(recipe) or {"family": family},
        seed=pipeline.training.seed,
        package=code.package,
        commit=code.commit,
        files=code.files,
        metrics=result.metrics,
        champion_metrics=result.champion_metrics,
        reasons=result.reasons,
    )
