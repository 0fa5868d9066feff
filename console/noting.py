"""What commands do without the keeper stands in its audit trail too, where it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.keeper.client import KeeperClient, KeeperUnreachableError

if TYPE_CHECKING:
    from pathlib import Path


def note_done(state_dir: Path, what: str, subject: str, after: dict[str, Any] | None = None) -> str | None:
    """Note it; returns in words why it could not be, None where it was."""
    try:
        with KeeperClient(state_dir) as keeper:
            keeper.note_done(what, subject, after)
    except KeeperUnreachableError:
        return f"no keeper runs on {state_dir}, so this does not stand in its audit trail"
    return None
