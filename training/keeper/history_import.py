"""Taking in a folder of history (``training.keeper.history`` says what is in one), in one transaction.

A whole history goes in before the first live event: its rows, its outcomes, the deltas as they were applied.
Those count as routed and sent, since the state that was built with them has them. What its outcomes say
beyond them is routed when the clock reaches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feature_store.clock import clock_named
from feature_store.errors import ContractError
from feature_store.log import delta_schema, log_schema
from streams.broker.state_lock import exclusive
from training.keeper.definitions import add_definitions, digest_of
from training.keeper.history import (
    DELTAS,
    OUTCOMES,
    SCORED,
    described,
    fingerprint,
    given,
    inside,
    read_history,
)
from training.keeper.history_fill import fill
from training.keeper.outcome_topics import keep_stages, outcome_topics
from training.keeper.queries import sql
from training.keeper.routing import Router
from training.keeper.store import (
    LOCK,
    STORE,
    columns_of,
    newest_arrival,
    open_keeper_store,
    rows,
    transaction,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from training.keeper.history import History

_INSTANTS = {"TIMESTAMP", "TIMESTAMP_MS"}
"""Parquet's milliseconds are read as microseconds."""
_SOUND = {"scored": "unsound_events", "outcomes": "unsound_outcomes", "deltas": "unsound_deltas"}


def import_history(store: Connection, pipeline: Pipeline, state_dir: Path, folder: Path) -> dict[str, object]:
    """Take in ``folder``, which must be inside ``state_dir``; returns how many ``rows`` it concerned.

    All of it goes in or nothing. The very same history once more changes nothing (``again``), as long as no
    live event was decided: what follows an import can be done again after a kill. Raises ContractError where
    it does not fit what is stored or declared, and StorageError.
    """
    folder = inside(state_dir, folder)
    history = read_history(folder)
    if history.pipeline != pipeline.name:
        raise ContractError(f"{folder} is of pipeline {history.pipeline!r}, this one is {pipeline.name!r}")
    digest = fingerprint(folder, history)
    with transaction(store):
        before = rows(store, "imported", {"digest": digest})[0]
        if before["same"] and history.only_new is None and not before["live"]:
            return {"rows": history.rows, "only_new": None, "again": True}
        if before["same"]:
            raise ContractError("this history was imported before: there is nothing left to do")
        if history.only_new is not None:
            count = fill(store, pipeline, folder, history)
        else:
            _refuse(folder, before)
            count = _take_in(store, pipeline, folder, history)
        entry = {"digest": digest, "history": msgspec.json.encode(history).decode()}
        store.execute(sql("add_import"), entry)
    return {"rows": count, "only_new": history.only_new, "again": False}


def import_history_offline(state_dir: Path, pipeline: Pipeline, folder: Path) -> dict[str, object]:
    """The same while no keeper runs, also before the first did. Raises StateInUseError when one runs."""
    with exclusive(state_dir / LOCK):
        store = open_keeper_store(state_dir / STORE, pipeline)
        try:
            return import_history(store, pipeline, state_dir, folder)
        finally:
            store.close()


def _refuse(folder: Path, before: dict[str, object]) -> None:
    if before["live"]:
        raise ContractError(
            f"{folder}: {before['live']} live events were decided already, without this history; only new "
            "features can be added now (--only-new), or begin with another state folder and other topics"
        )
    if before["past"] or before["routed"]:
        raise ContractError(f"{folder}: a history was imported before; there can be one")


def _take_in(store: Connection, pipeline: Pipeline, folder: Path, history: History) -> int:
    _check_definitions(pipeline, folder, history)
    limits = {"partitions": pipeline.topics.partitions}
    count = _add(store, folder / SCORED, "scored", log_schema(pipeline).names, limits)
    if count != history.rows:
        raise ContractError(f"{folder / SCORED}: has {count} rows, history.json says {history.rows}")
    _add(store, folder / OUTCOMES, "outcomes", list(columns_of(store, "outcomes")), {})
    _add(store, folder / DELTAS, "deltas", delta_schema(pipeline).names, {})
    digest = digest_of(history.features)
    add_definitions(store, {digest: history.features})
    store.execute(sql("add_past_batches"), {"topic": pipeline.deciding.topics.events, "digest": digest})
    store.execute(sql("add_routed"))
    keep_stages(store, outcome_topics(pipeline))
    store.execute(sql("all_are_sent"))
    store.execute(sql("add_to_come"))
    clock = clock_named(pipeline.clock)
    clock.observe(newest_arrival(store))
    Router(store, pipeline).route_all(clock.now())
    return count


def _check_definitions(pipeline: Pipeline, folder: Path, history: History) -> None:
    declared = {feature.name: feature.hash for feature in pipeline.feature_vector}
    other = sorted(name for name, _ in declared.items() ^ history.features.items())
    if other:
        raise ContractError(
            f"{folder}: written for another definition of {', '.join(dict.fromkeys(other))}; "
            "run `sluicegate backfill` again with the pipeline file that this keeper runs"
        )


def _add(
    store: Connection, file: Path, table: str, declared: Sequence[str], parameters: dict[str, int]
) -> int:
    with given(store, file):
        _check_columns(store, file, table, declared)
        counts = rows(store, _SOUND[table], parameters)[0]
        row_count = counts.pop("row_count")
        wrong = [f"{count} {what}" for what, count in counts.items() if count]
        if wrong:
            raise ContractError(f"{file}: {', '.join(wrong)}")
        store.execute(f"INSERT INTO {table} BY NAME FROM given")
    return int(str(row_count))


def _check_columns(store: Connection, file: Path, table: str, declared: Sequence[str]) -> None:
    found, wanted = described(store), columns_of(store, table)
    if missing := [name for name in declared if name not in found]:
        raise ContractError(f"{file}: lacks the columns {', '.join(missing)}")
    for name, kind in found.items():
        if name not in declared:
            raise ContractError(f"{file}: has a column {name!r} that is not declared")
        if kind != wanted[name] and not {kind, wanted[name]} <= _INSTANTS:
            raise ContractError(f"{file}: column {name!r} is {kind}, expected {wanted[name]}")
