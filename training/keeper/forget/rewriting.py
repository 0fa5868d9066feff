"""Writing the store's file anew, so that nothing of what was deleted is left in it.

A database marks deleted rows, and leaves their bytes until it needs the place. So after a deletion the keeper
copies what there is to a new file at its next start, counts it, and puts it in the place of the old one.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import structlog

from feature_store.duck import DuckError, open_store
from feature_store.errors import StorageError
from training.keeper.backup.taking import check_room, copied, count_again
from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.duck import Connection

_DUE = "rewriting_due"

log = structlog.get_logger()


def ask_for_rewriting(store: Connection) -> None:
    """Let the next keeper begin by writing the store anew."""
    store.execute(sql("forget_about"), {"name": _DUE})
    store.execute(sql("set_about"), {"name": _DUE, "value": "a deletion"})


def rewrite_where_due(path: Path) -> bool:
    """Write the store at ``path``, which nobody has open, anew where that was asked for; whether it was done.

    Where there is no room for it, the old file stays, and the next start tries again. Raises StorageError
    where the store cannot be read.
    """
    if not path.is_file():
        return False
    anew = path.with_name(f".{path.name}.anew")
    anew.unlink(missing_ok=True)
    with closing(open_store(path)) as store:
        try:
            if not rows(store, "about", {"name": _DUE}):
                return False
            check_room([path], path.parent)
            read = copied(store, anew)
        except (DuckError, OSError, StorageError) as error:
            log.warning("store_not_rewritten", why=str(error))
            anew.unlink(missing_ok=True)
            return False
    count_again(anew, read.rows)
    with closing(open_store(anew)) as store:
        store.execute(sql("forget_about"), {"name": _DUE})
    if path.with_name(f"{path.name}.wal").exists():
        raise StorageError(f"{path}: was not closed in order; its log is still there: start the keeper again")
    anew.replace(path)
    log.info("store_rewritten", rows=sum(read.rows.values()))
    return True
