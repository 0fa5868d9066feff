"""Stored history as files: what ``features check`` holds the twin to, and ``whatif`` decides again.

* ``events.parquet``: every declared field, ``event_id``, ``event_time``, ``source_partition``,
  ``source_offset``, ``seq``, ``decided_seq``, ``late``, of a staged pipeline ``seq_0``, ``seq_1``, … (the
  applied order in each stage before the last) and, of those that count outcomes, ``known_0``, …, every
  feature as it was logged, ``definitions``: the digest of what it was computed under, null where that was not
  kept; what was decided and when (``action``, ``let_through``, ``policy_action``, ``propensity``, ``score``,
  ``margin``, ``fallback``, ``arrived_at``, ``decided_at``);
* ``deltas.parquet``: the columns of ``delta_schema``; where an earlier stage counts outcomes those, too, that
  the last has not applied, without ``seq``;
* ``definitions.parquet``: ``digest, name, hash``;
* ``outcomes.parquet``: ``event_id, label, source, observed_at, arrived_at, partition, offset``;
* ``policies.parquet``: ``version, offset, document``, oldest first.

They are one consistent reading: the sink goes on writing meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.duck import DuckError, write_parquet
from feature_store.errors import ContractError, StorageError
from feature_store.log import known_columns
from streams.broker.state_lock import exclusive
from training.keeper.history import inside
from training.keeper.queries import sql
from training.keeper.store import LOCK, existing_store, looked_at, rows

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection

EVENTS = "events.parquet"
DELTAS = "deltas.parquet"
DEFINITIONS = "definitions.parquet"
OUTCOMES = "outcomes.parquet"
POLICIES = "policies.parquet"

_ALWAYS = (
    "event_id",
    "event_time",
    "source_partition",
    "source_offset",
    "seq",
    "decided_seq",
    "late",
    "action",
    "policy_action",
    "propensity",
    "score",
    "margin",
    "fallback",
    "arrived_at",
    "decided_at",
)

_BESIDE = {
    "exported_definitions": DEFINITIONS,
    "exported_outcomes": OUTCOMES,
    "exported_policies": POLICIES,
}


def export_history(store: Connection, pipeline: Pipeline, state_dir: Path, folder: Path) -> dict[str, object]:
    """Write the files into ``folder``, which must be inside ``state_dir``, and new or empty.

    Returns the ``pipeline``, and how many ``events`` and ``deltas`` there are. Raises ContractError for
    another folder, and StorageError.
    """
    store.begin()
    try:
        return _export(store, pipeline, state_dir, folder)
    finally:
        store.rollback()


def export_history_offline(state_dir: Path, pipeline: Pipeline, folder: Path) -> dict[str, object]:
    """The same while no keeper runs; the store stays as it is, whatever ``pipeline`` declares.

    Raises StateInUseError when one does, StorageError without a store.
    """
    path = existing_store(state_dir)
    with exclusive(state_dir / LOCK), looked_at(path, pipeline) as store:
        return _export(store, pipeline, state_dir, folder)


def _export(store: Connection, pipeline: Pipeline, state_dir: Path, folder: Path) -> dict[str, object]:
    folder = inside(state_dir, folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # personal data is in it
    except OSError as error:
        raise ContractError(f"{folder} cannot be made: {error.strerror}") from error
    if any(folder.iterdir()):
        raise ContractError(f"{folder} is not empty; name a new folder")
    deciding = pipeline.deciding
    orders = [f"seq_{number}" for number in range(deciding.stages_before)] + known_columns(deciding)
    features = [feature.name for feature in pipeline.feature_vector]
    names = [*pipeline.event.fields, *_ALWAYS, *orders, *features]
    columns = [f'"{name}"' for name in dict.fromkeys(names)]
    columns += ["coalesce(action = 'approve', false) AS let_through", "definitions"]
    events = f"SELECT {', '.join(columns)} {sql('exported_events')}"
    try:
        write_parquet(store, events, folder / EVENTS)
        store.execute(sql("create_policies"))
        deltas = "exported_routed" if pipeline.counting_stages else "exported_deltas"
        for name, file in {deltas: DELTAS, **_BESIDE}.items():
            write_parquet(store, sql(name), folder / file)
        counts = rows(store, "row_counts")[0]
    except DuckError as error:
        raise StorageError(f"{folder}: the history could not be written: {error}") from error
    return {"pipeline": pipeline.name, "events": counts["scored"], "deltas": counts["deltas"]}
