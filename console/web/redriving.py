"""Redrives that the console was asked for: one at a time, in a thread of its own, told as it goes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.redrive import Choice, Sent, choose, send
from console.redrive_words import figures
from feature_store.errors import ContractError, SluicegateError
from streams.kafka import KafkaException

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.dead_letters import EventIds, Selection
    from console.web.visitor import Visitor
    from training.keeper.desk import Desk

    Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Redrive:
    """One that runs or is over: ``doing`` is empty then. ``dry``: it only looks which letters would go."""

    what: str
    who: str
    role: str
    began: int
    dry: bool
    doing: str = ""
    choice: Choice | None = None
    sent: Sent | None = None
    error: str | None = None


class Redriving:
    """Knows the newest redrive; usable from any thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._newest: Redrive | None = None
        self._thread: threading.Thread | None = None
        self._one_at_a_time = threading.Lock()

    @property
    def newest(self) -> Redrive | None:
        """What runs, or what ran last since the keeper began."""
        return self._newest

    def start(self, selection: Selection, ids: EventIds, what: str, visitor: Visitor, *, dry: bool) -> None:
        """Begin with the letters of ``selection``. Raises ContractError while another redrive runs."""
        with self._one_at_a_time:
            if self._newest is not None and self._newest.doing:
                raise ContractError(f"a redrive of {self._newest.what} runs; wait until it is over")
            now = self._desk.parts.clock.now()
            begun = Redrive(what, visitor.name, visitor.role, now, dry, "reading the dead letters")
            self._newest = begun
            self._thread = threading.Thread(
                target=self._run, args=(begun, selection, ids), name="redrive", daemon=True
            )
            self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Wait until what runs is over, at most so long."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, begun: Redrive, selection: Selection, ids: EventIds) -> None:
        found = begun
        try:
            found = self._chosen(begun, selection, ids)
            if found.choice is not None and found.choice.going and not begun.dry:
                found = self._sent(found, found.choice)
        except (SluicegateError, KafkaException) as error:
            found = replace(self._newest or found, error=str(error))
        finally:
            self._newest = replace(found, doing="")

    def _chosen(self, begun: Redrive, selection: Selection, ids: EventIds) -> Redrive:
        parts = self._desk.parts
        choice = choose(parts.settings.bootstrap, parts.pipeline, selection, ids, self._telling(begun))
        return replace(begun, choice=choice)

    def _sent(self, chosen: Redrive, choice: Choice) -> Redrive:
        """Send; what was sent, or why it broke off, stands in the audit trail."""
        parts = self._desk.parts
        self._newest = chosen
        sent, why = None, "the keeper ended"
        try:
            sent = send(parts.settings.bootstrap, parts.pipeline, choice, self._telling(chosen))
            return replace(chosen, sent=sent)
        except (SluicegateError, KafkaException) as error:
            why = str(error)
            raise
        finally:
            after = figures(choice, sent) if sent is not None else figures(choice, None) | {"why": why}
            self._desk.audit.note(chosen.who, chosen.role, "console", "redrive", chosen.what, after=after)

    def _telling(self, at: Redrive) -> Tell:
        def tell(what: str, done: int, total: int) -> None:
            self._newest = replace(at, doing=f"{what}: {done:,}" + (f" of {total:,}" if total else ""))

        return tell
