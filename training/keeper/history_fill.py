"""New features for rows that are in the store: their columns are filled where they are empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import ContractError
from training.keeper.definitions import add_definitions, digest_of
from training.keeper.history import SCORED, described, given
from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from training.keeper.history import History


def fill(store: Connection, pipeline: Pipeline, folder: Path, history: History) -> int:
    """Fill in the new features of ``folder`` by event id, in the caller's transaction; returns the rows met.

    A message of the feature log counts as computed under the new definitions too once all its rows are met.
    Raises ContractError for a feature that is not declared so, or not new: every row has it, or had it under
    another definition.
    """
    names = list(dict.fromkeys(history.only_new or ()))
    if not names:
        raise ContractError(f"{folder}: only_new names no feature")
    declared = {feature.name: feature.hash for feature in pipeline.feature_vector}
    for name in names:
        if name not in declared or history.features.get(name) != declared[name]:
            raise ContractError(
                f"{folder}: the keeper does not know {name!r} by this definition; restart it with the "
                "pipeline file that the history was computed with"
            )
        _check_new(store, name, declared[name])
    file = folder / SCORED
    with given(store, file):
        _check_file(store, file, names)
        store.execute(sql("matched"))
        (count,) = store.execute("SELECT coalesce(sum(matched), 0)::BIGINT FROM matched").fetchall()[0]
        if not count:
            raise ContractError(f"{file}: none of its events is in the store")
        store.execute(_update(names))
    _credit(store, {name: declared[name] for name in names})
    store.execute("DROP TABLE matched")
    return int(count)


def _check_new(store: Connection, name: str, wanted: str) -> None:
    known = [row["hash"] for row in rows(store, "definitions_of", {"name": name})]
    if known == [wanted]:
        raise ContractError(f"feature {name!r} is not new: every stored row has it")
    if any(each not in {wanted, None} for each in known):
        raise ContractError(
            f"feature {name!r} is not new: stored rows have it by another definition; give it another name"
        )
    undated = f'SELECT count("{name}") {sql("before_definitions")}'
    if store.execute(undated).fetchall()[0][0]:
        raise ContractError(
            f"feature {name!r} is not new: stored rows have it from before definitions were kept"
        )


def _check_file(store: Connection, file: Path, names: list[str]) -> None:
    found = described(store)
    for name in names:
        if found.get(name) != "DOUBLE":
            raise ContractError(f"{file}: column {name!r} is {found.get(name, 'missing')}, expected DOUBLE")
    if "event_id" not in found:
        raise ContractError(f"{file}: lacks the column event_id")
    query = "SELECT count(*) - count(DISTINCT event_id) FROM given"
    if store.execute(query).fetchall()[0][0]:
        raise ContractError(f"{file}: has events twice")


def _update(names: list[str]) -> str:
    columns = ", ".join(f'"{name}" = coalesce(scored."{name}", given."{name}")' for name in names)
    return (
        f"UPDATE scored SET {columns} FROM given "  # noqa: S608  (names that are declared)
        "WHERE CAST(scored.event_id AS VARCHAR) = CAST(given.event_id AS VARCHAR)"
    )


def _credit(store: Connection, new: dict[str, str]) -> None:
    """Say of every message whose rows were all met that it was computed under the new definitions too."""
    for covered in rows(store, "covered_definitions"):
        before = covered["definitions"]
        kept = {str(row["name"]): str(row["hash"]) for row in rows(store, "hashes", {"digest": before})}
        digest = digest_of(kept | new)
        add_definitions(store, {digest: kept | new})
        store.execute(sql("credit"), {"before": before, "after": digest})
