"""A shadow that no scorer can score by: it would stand there for ever, since no label says anything of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.units import format_duration
from training.keeper.queries import sql

if TYPE_CHECKING:
    from training.keeper.parts import Parts
    from training.keeper.release.live import Acted


class Unscored:
    """Looks whether a shadow ever scored; remembers which did."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._spec = parts.pipeline.training.release.rollback
        self._scored: set[tuple[str, int]] = set()

    def why(self, shadow: Acted, now: int) -> str | None:
        """Why ``shadow`` is to go at ``now`` (us): it had events enough, and scored none of them.

        None before ``training.release.rollback.window`` is over, and ``least`` events were scored without it.
        """
        known = (shadow.version, shadow.epoch)
        if known in self._scored or now - shadow.since < self._spec.window:
            return None
        asked = {"version": shadow.version, "epoch": shadow.epoch, "since": shadow.since}
        with self._parts.store.cursor() as cursor:
            found = cursor.execute(sql("newest_beside"), asked | {"most": self._spec.least}).fetchone()
        events, scored = found or (0, 0)
        if scored:
            self._scored.add(known)
        if scored or events < self._spec.least:
            return None
        return (
            f"in {format_duration(self._spec.window)} or more no scorer gave a score of it beside "
            f"{events:,} events that others scored; alerts shadow_rejected say why it cannot be loaded"
        )
