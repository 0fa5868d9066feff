"""What the keeper stores about an event, whether the keeper runs or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import SluicegateError
from training.keeper.client import KeeperClient, KeeperUnreachableError
from training.keeper.evidence import NOT_STORED, Evidence, evidence_offline

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


class UnknownEventError(SluicegateError):
    """No such event is stored."""


def stored(pipeline: Pipeline, state_dir: Path, event_id: str) -> list[Evidence]:
    """Every event of this id, oldest first; at least one.

    Raises UnknownEventError, KeeperRefusedError where the keeper knows none, StorageError.
    """
    try:
        with KeeperClient(state_dir) as keeper:
            return keeper.event(event_id)
    except KeeperUnreachableError:  # else the lock says that one runs after all
        found = evidence_offline(state_dir, pipeline, event_id)
    if not found:
        raise UnknownEventError(NOT_STORED.format(event_id))
    return found
