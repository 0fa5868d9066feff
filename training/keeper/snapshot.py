"""The run folder: everything that a trainer needs, from the store and the models topic at one moment."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec

from feature_store.duck import write_parquet
from feature_store.whole_file import write_atomically
from training.contract import (
    OUTCOMES,
    SCORED,
    SNAPSHOT,
    ChampionRef,
    TrainingRequest,
    save_request,
)
from training.dataset.labels import matured_until
from training.dataset.split import oldest_needed
from training.keeper.queries import sql
from training.publish import champion_of

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from streams.models.assembly import ModelsTopic
    from training.keeper.runs import Run

_ALWAYS = (
    "event_id",
    "event_time",
    "seq",
    "source_partition",
    "source_offset",
    "arrived_at",
    "margin",
    "score",
    "model",
    "policy_action",
    "action",
    "propensity",
)
TUNING = "tuning.sqlite"
"""In the state folder, so that a search goes on from night to night."""


def prepare_run_folder(
    folder: Path, run: Run, pipeline: Pipeline, store: Connection, models: ModelsTopic
) -> TrainingRequest:
    """Fill ``folder`` and return the request in it.

    The Parquet files are one consistent reading: the sink goes on writing meanwhile.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / SNAPSHOT).mkdir(parents=True)
    _export(folder / SNAPSHOT, run.as_of, pipeline, store)
    request = TrainingRequest(
        run_id=run.run_id,
        pipeline=pipeline.name,
        as_of=run.as_of,
        next_version=version_of(run, pipeline),
        why=run.why,
        champion=_champion(folder, models),
        shuffle_labels=run.shuffle_labels,
        trust_data=run.trust_data,
        tuning=str(folder.parent.parent.resolve() / TUNING),
    )
    save_request(folder, request)
    return request


def version_of(run: Run, pipeline: Pipeline) -> str:
    """The name of the model that a run makes: sortable by time."""
    return f"{pipeline.name}-{run.run_id}"


def snapshot_columns(pipeline: Pipeline) -> list[str]:
    """What training needs of the feature log: no more leaves the store, personal data least of all."""
    wanted = [*_ALWAYS, pipeline.whole.event.key, *(feature.name for feature in pipeline.feature_vector)]
    if pipeline.decision.costs.amount is not None:
        wanted.append(pipeline.decision.costs.amount)
    return list(dict.fromkeys(wanted))


def _export(folder: Path, as_of: int, pipeline: Pipeline, store: Connection) -> None:
    columns = ", ".join(f'"{name}"' for name in snapshot_columns(pipeline))
    scored = f"SELECT {columns} {sql('snapshot_rows')}"
    since = oldest_needed(pipeline.training, matured_until(pipeline, as_of))
    with store.cursor() as cursor:
        cursor.begin()
        write_parquet(cursor, scored, folder / SCORED, {"as_of": as_of, "since": since})
        write_parquet(cursor, sql("snapshot_outcomes"), folder / OUTCOMES, {"as_of": as_of})
        cursor.commit()


def _champion(folder: Path, models: ModelsTopic) -> ChampionRef | None:
    version = champion_of(models)
    if version is None:
        return None
    (folder / "champion").mkdir()
    manifest, artifact = "champion/manifest.json", "champion/artifact"
    write_atomically(folder / manifest, msgspec.json.encode(models.manifest(version)))
    write_atomically(folder / artifact, models.artifact(version))
    return ChampionRef(version, manifest, artifact)
