"""The store's version, and the steps from older ones to it.

A store of a newer version is left alone: what that one means by its tables is not known here. All steps are
in the caller's transaction: a store is of one version or of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.errors import StorageError
from training.keeper.queries import sql

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.duck import Connection

VERSION = 3
_NAME = "schema_version"

log = structlog.get_logger()


def migrate(store: Connection, path: Path) -> None:
    """Bring the store to ``VERSION``, which an empty one has at once. Raises StorageError for a newer one."""
    store.execute(sql("create_about"))
    found = _version(store, path)
    if found > VERSION:
        raise StorageError(
            f"{path}: of schema version {found}, this sluicegate knows {VERSION}: a newer one wrote it. "
            "Run that one, or restore the backup that was taken before the upgrade"
        )
    for step in range(found, VERSION):
        store.execute(sql(f"migrate_{step}_to_{step + 1}"))
        log.info("store_migrated", store=str(path), version=step + 1)
    store.execute(sql("forget_about"), {"name": _NAME})
    store.execute(sql("set_about"), {"name": _NAME, "value": str(VERSION)})


def _version(store: Connection, path: Path) -> int:
    stored = store.execute(sql("about"), {"name": _NAME}).fetchall()
    if not stored:
        return VERSION
    try:
        return int(stored[0][0])
    except ValueError as error:
        raise StorageError(f"{path}: its schema version {stored[0][0]!r} is none; it is damaged") from error
