"""All that the store keeps about one event: what was decided, and everything it was decided by."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from streams.broker.state_lock import exclusive
from streams.messages import Manifest, PolicyDocument
from training.keeper.queries import sql
from training.keeper.store import LOCK, existing_store, looked_at, rows

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from training.keeper.parts import Parts


NOT_STORED = "no event {!r} is stored; what was just decided is stored a moment later"


class Scored(msgspec.Struct, frozen=True):
    """What the feature log says beside the event's fields and features; ``margin`` and ``score`` are None
    where no model scored. Instants are RFC 3339.
    """

    source_partition: int
    source_offset: int
    seq: int
    arrived_at: str
    decided_at: str | None
    late: bool
    margin: float | None
    score: float | None
    engine: str | None
    model: str | None
    policy_action: str
    action: str
    propensity: float
    rules: list[str]
    fallback: str | None


class KnownOutcome(msgspec.Struct, frozen=True):
    """What a source said about the event."""

    label: str
    source: str
    observed_at: str
    arrived_at: str


class Trained(msgspec.Struct, frozen=True):
    """Where a model version comes from: the run's folder keeps its artifact when it has left Kafka."""

    run_id: str
    manifest: Manifest


class Evidence(msgspec.Struct, frozen=True):
    """One event and the decision about it.

    ``features`` are all that were computed, None where undefined, and ``hashes`` their definitions then; both
    are empty where the store does not know them any more. ``policy_offset`` -1: the pipeline file's policy.
    ``decision`` is the message as it was sent, None for an event of an imported history; ``amendments`` are
    the messages that took its place. ``trained`` is None where the version was not trained here,
    ``policy`` where the pipeline file's own was in force, or the store has not seen it.
    """

    event_id: str
    event: dict[str, Any]
    features: dict[str, float | None]
    hashes: dict[str, str]
    scored: Scored
    release_epoch: int | None
    policy_offset: int | None
    decision: str | None
    amendments: list[str]
    outcomes: list[KnownOutcome]
    trained: Trained | None = None
    policy: PolicyDocument | None = None


def evidence(store: Connection, pipeline: Pipeline, event_id: str) -> list[Evidence]:
    """Every event of this id, oldest first. Ids are only told apart per value of the partition key."""
    wanted = {"event_id": event_id}
    outcomes = [KnownOutcome(**_plain(row)) for row in rows(store, "outcomes_of_event", wanted)]
    found = rows(store, "rows_of_event", wanted)
    return [_evidence(store, pipeline, event_id, row, outcomes) for row in found]


def told_evidence(parts: Parts, event_id: str) -> list[Evidence]:
    """The same from a keeper that runs. Raises LookupError for an event that it has not stored."""
    with parts.store.cursor() as cursor:
        found = evidence(cursor, parts.pipeline, event_id)
    if not found:
        raise LookupError(NOT_STORED.format(event_id))
    return found


def evidence_offline(state_dir: Path, pipeline: Pipeline, event_id: str) -> list[Evidence]:
    """The same while no keeper runs; the store stays as it is.

    Raises StateInUseError when one does, StorageError without a store.
    """
    path = existing_store(state_dir)
    with exclusive(state_dir / LOCK), looked_at(path, pipeline) as store:
        store.execute(sql("create_policies"))  # an older keeper has none
        return evidence(store, pipeline, event_id)


def _evidence(
    store: Connection,
    pipeline: Pipeline,
    event_id: str,
    row: dict[str, Any],
    outcomes: list[KnownOutcome],
) -> Evidence:
    place = {"partition": row["source_partition"], "offset": row["source_offset"]}
    batch = next(iter(rows(store, "batch_of_event", place)), {})
    hashes = {
        str(each["name"]): str(each["hash"])
        for each in rows(store, "hashes", {"digest": batch.get("definitions")})
    }
    decision = rows(store, "decision_of_event", place)
    epoch, policy = batch.get("release_epoch"), batch.get("policy_offset")
    return Evidence(
        event_id=event_id,
        event=_plain({name: row.get(name) for name in pipeline.event.fields}),
        features={name: row[name] for name in hashes if name in row},
        hashes=hashes,
        scored=msgspec.convert(_plain({name: row[name] for name in Scored.__struct_fields__}), Scored),
        release_epoch=epoch if isinstance(epoch, int) else None,
        policy_offset=policy if isinstance(policy, int) else None,
        decision=str(decision[0]["message"]) if decision else None,
        amendments=[str(each["message"]) for each in rows(store, "amendments_of_event", place)],
        trained=_trained(store, row["model"]),
        outcomes=outcomes,
        policy=_policy(store, policy),
    )


def _trained(store: Connection, version: str | None) -> Trained | None:
    for each in rows(store, "model_of_event", {"version": version}):
        return Trained(str(each["run_id"]), msgspec.json.decode(str(each["manifest"]), type=Manifest))
    return None


def _policy(store: Connection, offset: object) -> PolicyDocument | None:
    if not isinstance(offset, int) or offset < 0:
        return None
    for each in rows(store, "policy_of_event", {"offset": offset}):
        return msgspec.json.decode(str(each["document"]), type=PolicyDocument)
    return None


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _as_text(value) for name, value in row.items()}


def _as_text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, Decimal) else value
