"""The audit trail: who changed what, what it was before and what after."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.clock import Clock
    from feature_store.duck import Connection


class Change(msgspec.Struct, frozen=True):
    """One line of the trail. ``changed_at`` is the pipeline's clock, ``noted_at`` wall time (us since 1970).

    ``before`` and ``after`` are JSON, None where there is nothing to say.
    """

    number: int
    noted_at: int
    changed_at: int
    who: str
    role: str
    via: str
    what: str
    subject: str
    before: Any
    after: Any


class Audit:
    """The table ``audit``, which only grows; usable from any thread."""

    def __init__(self, store: Connection, clock: Clock) -> None:
        """Make the table where there is none."""
        self._store = store.cursor()
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._store.execute(sql("create_audit"))
        self.bring: Callable[[], None] = lambda: None
        """Called before the trail is read: notes what was changed while nobody could."""

    def note(
        self,
        who: str,
        role: str,
        via: str,
        what: str,
        subject: str = "",
        before: Any = None,
        after: Any = None,
    ) -> None:
        """Add a line; ``what`` is a stable word (``promote``, ``verdict``, …), ``via`` console or command."""
        line = {
            "noted_at": time.time_ns() // 1_000,
            "changed_at": self._clock.now(),
            "who": who,
            "role": role,
            "via": via,
            "what": what,
            "subject": subject,
            "before": None if before is None else msgspec.json.encode(before).decode(),
            "after": None if after is None else msgspec.json.encode(after).decode(),
        }
        with self._one_at_a_time:
            self._store.execute(sql("add_audit"), line)

    def newest(
        self, most: int = 200, before: int | None = None, who: str = "", what: str = "", subject: str = ""
    ) -> list[Change]:
        """The newest lines, the newest first: of those with a number below ``before``, and of one who did one
        thing to one subject, where these are given.
        """
        self.bring()
        asked = {"most": most, "before": before, "who": who, "what": what, "subject": subject}
        with self._one_at_a_time:
            found = rows(self._store, "newest_audit", asked)
        return [msgspec.convert(row | _decoded(row), Change) for row in found]

    def kinds(self) -> list[str]:
        """What there is in the trail, in alphabetical order: ``promote``, ``verdict``, …"""
        with self._one_at_a_time:
            return [str(row["what"]) for row in rows(self._store, "audit_kinds", {})]


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if row[name] is None else msgspec.json.decode(row[name]) for name in ("before", "after")
    }
