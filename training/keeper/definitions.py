"""Under which definitions features were computed: a digest for a set of hashes, spelled out in the store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa

from feature_store.duck import relations
from training.keeper.queries import sql
from training.keeper.rows import schema_of, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.duck import Connection

_DEFINITIONS = schema_of(("digest", pa.string()), ("name", pa.string()), ("hash", pa.string()))


def add_definitions(store: Connection, definitions: Mapping[str, Mapping[str, str]]) -> None:
    """Spell out digest -> feature -> hash, where the store does not know a digest yet."""
    with relations(store, incoming=_table(definitions)):
        store.execute(sql("add_definitions"))


def digest_of(hashes: Mapping[str, str]) -> str:
    """One name for a set of definitions: the same features with the same hashes, in any order."""
    text = "\n".join(f"{name} {hashes[name]}" for name in sorted(hashes))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _table(definitions: Mapping[str, Mapping[str, str]]) -> pa.Table:
    found = [(digest, name, each) for digest, hashes in definitions.items() for name, each in hashes.items()]
    return table_of(_DEFINITIONS, found)
