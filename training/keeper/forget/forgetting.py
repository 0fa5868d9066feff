"""Forgetting: every row about a person leaves the store, in one transaction.

1. Wait until what Kafka holds is in the store: what is sunk later would bring it back.
2. Find their events by the field, and the ids that only their events have.
3. Delete by place, by id, and by the entity that a delta names. What scorers have not heard of stays until
   they have: ``deltas_to_send``.
4. Blank the value in old versions of the policy, and in what the audit trail says of them. The one in force
   is changed by whoever may: it is told.
5. Ask for the store's file to be written anew at the keeper's next start: a deleted row's bytes stay in a
   database file until something else takes their place.

Features that other entities' windows counted stay as they were logged.
"""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from feature_store.duck import quoted
from feature_store.errors import StorageError
from feature_store.units import to_text
from training.contract import SNAPSHOT
from training.keeper.forget.policies import blank, naming
from training.keeper.forget.rewriting import ask_for_rewriting
from training.keeper.forget.told import Forgotten
from training.keeper.forget.trail import blank_trail
from training.keeper.forget.value import digest_of, value_of
from training.keeper.queries import sql
from training.keeper.store import columns_of, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from streams.messages import PolicyDocument
    from training.keeper.parts import Parts

_PATIENCE_S = 30.0
_PLACE = "(source_partition, source_offset) IN (SELECT source_partition, source_offset FROM forgotten)"
_ID = "event_id IN (SELECT event_id FROM forgotten_ids)"
_DELTA = "(source_partition, event_id) IN (SELECT source_partition, event_id FROM forgotten)"
_SENT = "route_seq <= (SELECT sent FROM all_sent)"
_REFUSED = (  # both sides are escaped in the same way
    "EXISTS (SELECT 1 FROM forgotten_ids AS gone "
    "WHERE contains(CAST(message AS VARCHAR), CAST(encode(gone.event_id) AS VARCHAR)))"
)


def forget(
    parts: Parts, policy: PolicyDocument, running: str | None, field: str, text: str, *, dry: bool = False
) -> Forgotten:
    """Delete what the store holds about events whose ``field`` is ``text``; ``dry``: only say what that is.

    ``policy`` is the one in force, ``running`` the training run that works now. Raises ContractError for a
    field that names nobody, StorageError where the store could not be written, or Kafka holds more than could
    be taken in within half a minute.
    """
    value = value_of(parts.pipeline, field, text)
    if not dry:
        _caught_up(parts)  # 1
        _remove_snapshots(parts, running)
    with parts.store.cursor() as store, parts.writing, _kept(store, dry=dry):
        _find(store, field, value)  # 2
        digest = digest_of(store, field, value)
        before = _last_time(store, field, digest)
        span = rows(store, "forget_span")[0]
        to_send = _count(store, "outbox", f"{_of(store, 'outbox', field)} AND NOT {_SENT}", value)
        gone = _delete(store, field, value)  # 3
        blanked = blank(store, field, value, policy.version)  # 4
        lines = blank_trail(store, field, value)
        ask_for_rewriting(store)  # 5
        store.execute(sql("forget_drop"))
    kafka, state = _until(parts.pipeline)
    return Forgotten(
        field=field,
        digest="" if dry else digest,
        dry=dry,
        events=int(str(span["events"])),
        first_event=_as_text(span["first_event_time"]),
        last_event=_as_text(span["last_event_time"]),
        rows=gone,
        deltas_to_send=to_send,
        policy=naming(policy, field, value),
        policy_versions=blanked,
        audit_lines=lines,
        kafka_until=kafka,
        state_until=state,
        forgotten_before=before,
    )


@contextmanager
def _kept(store: Connection, *, dry: bool) -> Iterator[None]:
    """A transaction; one that is only a trial leaves nothing."""
    if not dry:
        with transaction(store):
            yield
        return
    store.begin()
    try:
        yield
    finally:
        store.rollback()


def _caught_up(parts: Parts) -> None:
    stop = threading.Event()
    timer = threading.Timer(_PATIENCE_S, stop.set)
    timer.start()
    try:
        if not parts.progress.wait_for(parts.ends(), stop):
            raise StorageError(
                "Kafka holds more than the keeper could take in within half a minute, and what is sunk later "
                "would bring it back: wait until the console shows no lag of the keeper"
            )
    finally:
        timer.cancel()


def _remove_snapshots(parts: Parts, running: str | None) -> None:
    """What killed training runs left of their rows; the one that runs removes its own."""
    for folder in (parts.settings.state_dir / "runs").glob(f"*/{SNAPSHOT}"):
        if folder.parent.name != running:
            shutil.rmtree(folder, ignore_errors=True)


def _find(store: Connection, field: str, value: str | int) -> None:
    for name in ("forget_find", "forget_find_ids"):
        store.execute(sql(name).format(field=quoted(field)), {"value": value})


def _last_time(store: Connection, field: str, digest: str) -> str | None:
    found = rows(store, "forgotten_before", {"field": field})
    return _as_text(
        max((int(str(each["noted_at"])) for each in found if each["digest"] == digest), default=None)
    )


def _delete(store: Connection, field: str, value: str | int) -> dict[str, int]:
    store.execute(sql("forget_batches"))
    which = {
        "decisions": _PLACE,
        "amendments": _PLACE,
        "late_events": _PLACE,
        "outcomes": _ID,
        "outcomes_refused": _REFUSED,
        "waiting": _ID,
        "to_come": _ID,
        "deltas": _of(store, "deltas", field),
        "outbox": f"{_of(store, 'outbox', field)} AND {_SENT}",
        "scored": f"{quoted(field)} = $value",
    }
    counts = {table: _count(store, table, each, value) for table, each in which.items()}
    for table, each in which.items():
        parameters = {"value": value} if "$value" in each else {}
        store.execute(f"DELETE FROM {table} WHERE {each}", parameters)  # noqa: S608  (written here)
    return {table: count for table, count in counts.items() if count}


def _of(store: Connection, table: str, field: str) -> str:
    """Which deltas are theirs: of their events, and of the entity that the field names."""
    entity = f"entity_{field}"
    named = f" OR {quoted(entity)} = $value" if entity in columns_of(store, table) else ""
    return f"({_DELTA}{named})"


def _count(store: Connection, table: str, which: str, value: str | int) -> int:
    parameters = {"value": value} if "$value" in which else {}
    query = f"SELECT count(*) FROM {table} WHERE {which}"  # noqa: S608  (written here)
    return int(store.execute(query, parameters).fetchall()[0][0])


def _until(pipeline: Pipeline) -> tuple[str, str]:
    now = time.time_ns() // 1_000
    reach = max((each.delay + each.window for each in pipeline.features.window_features()), default=0)
    held = max(reach + pipeline.features.lateness, pipeline.decision.duplicates.window)
    snapshots = pipeline.serving.snapshots
    return to_text(now + pipeline.topics.retention), to_text(now + held + snapshots.every * snapshots.keep)


def _as_text(instant: Any) -> str | None:
    return None if instant is None else to_text(int(instant))
