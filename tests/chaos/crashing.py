"""A part that dies at a named point: ``python -m tests.chaos.crashing POINT TIMES scorer --slot 0 …``.

The program is the product's own, unchanged: before it begins, the method of the point is wrapped, and the
``TIMES``-th time that it is reached the process kills itself. So a running system has no such switch.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.chaos.shapes import DECIDING, ENTRANCE, FORWARDING, KEEPER, SCORER, SINK

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Point:
    """Before or after a call; ``saying``: of those only the calls whose first argument is this."""

    module: str
    path: str
    before: bool
    saying: str | None = None
    role: str = SCORER
    """Who comes to it."""


_TRANSACTIONS = ("streams.kafka.group_transactions", "GroupTransactions._insist")
_MESSAGES = "streams.scorer.messages"
_SINK = "training.keeper.sink"
_SENDER = "training.keeper.sender"
_FOLDER = "training.sink.folder"
_WORKER = "training.sink.worker"

GIVING_UP = "scorer.given_up"
"""Reached only where another one joins."""

_SCORERS = {
    "scorer.init.after": Point(*_TRANSACTIONS, before=False, saying="init_transactions"),
    "scorer.restore.before": Point("streams.scorer.recovery", "restore", before=True),
    "scorer.restore.after": Point("streams.scorer.recovery", "restore", before=False),
    GIVING_UP: Point("streams.scorer.claiming", "Claiming.handing_over", before=False, role=DECIDING),
    "scorer.step.before": Point("streams.scorer.core", "ScorerCore.step", before=True),
    "scorer.step.after": Point("streams.scorer.core", "ScorerCore.step", before=False),
    "scorer.begin.after": Point(*_TRANSACTIONS, before=False, saying="begin_transaction"),
    "scorer.decisions.sent": Point(_MESSAGES, "StepMessages.decisions", before=False, role=DECIDING),
    "scorer.forwarded.sent": Point(_MESSAGES, "StepMessages.forwarded", before=False, role=FORWARDING),
    "scorer.log.sent": Point(_MESSAGES, "StepMessages.log", before=False),
    "scorer.dead_letters.sent": Point(_MESSAGES, "StepMessages.dead_letters", before=False, role=ENTRANCE),
    "scorer.offsets.after": Point(*_TRANSACTIONS, before=False, saying="send_offsets"),
    "scorer.commit.before": Point(*_TRANSACTIONS, before=True, saying="commit"),
    "scorer.commit.after": Point(*_TRANSACTIONS, before=False, saying="commit"),
    "scorer.state.kept": Point("streams.scorer.core", "ScorerCore.commit", before=False),
    "scorer.snapshot.captured": Point("streams.scorer.snapshots", "Snapshots._capture", before=False),
    "scorer.snapshot.put.before": Point("feature_store.objects", "ObjectFolder.put", before=True),
    "scorer.snapshot.put.after": Point("feature_store.objects", "ObjectFolder.put", before=False),
    "scorer.snapshot.old_removed": Point("feature_store.objects", "ObjectFolder.delete", before=False),
}
_KEEPERS = {
    "keeper.start.offsets": Point("training.keeper.start", "starting_offsets", before=False, role=KEEPER),
    "keeper.outbox.recovered": Point("training.keeper.outbox", "recover_outbox", before=False, role=KEEPER),
    "keeper.taken": Point(_SINK, "Sink._take", before=False, role=KEEPER),
    "keeper.log.inserted": Point(_SINK, "Sink._add_log", before=False, role=KEEPER),
    "keeper.row.inserted": Point(_SINK, "Sink._insert", before=False, role=KEEPER),
    "keeper.routed": Point("training.keeper.routing", "Router.route", before=False, role=KEEPER),
    "keeper.offsets.moved": Point(_SINK, "Sink._move", before=False, role=KEEPER),
    "keeper.commit.after": Point(_SINK, "Sink._write", before=False, role=KEEPER),
    "keeper.deltas.send.before": Point(_SENDER, "DeltaSender._send", before=True, role=KEEPER),
    "keeper.deltas.sent": Point(_SENDER, "DeltaSender._send", before=False, role=KEEPER),
    "keeper.deltas.noted": Point(_SENDER, "DeltaSender.step", before=False, role=KEEPER),
    "keeper.publish.begun": Point("training.writer", "_commit", before=True, role=KEEPER),
    "keeper.publish.commit.before": Point("training.writer", "_commit_for_certain", before=True, role=KEEPER),
    "keeper.publish.commit.after": Point("training.writer", "_commit_for_certain", before=False, role=KEEPER),
}
_SINKS = {
    "sink.assigned": Point(_WORKER, "SinkWorker._on_assign", before=False, role=SINK),
    "sink.rows.written": Point(_FOLDER, "SinkFolder._write", before=False, role=SINK),
    "sink.manifest.before": Point("feature_store.whole_file", "write_atomically", before=True, role=SINK),
    "sink.manifest.after": Point("feature_store.whole_file", "write_atomically", before=False, role=SINK),
    "sink.stretch.after": Point(_FOLDER, "SinkFolder.write", before=False, role=SINK),
}
_TAKING = {
    "keeper.files.found": Point("training.keeper.handed", "Handed.waiting", before=False, role=KEEPER),
    "keeper.files.inserted": Point("training.keeper.handed", "Handed.take", before=False, role=KEEPER),
    "keeper.files.tell.before": Point(_FOLDER, "SinkFolder.tell_taken", before=True, role=KEEPER),
    "keeper.files.tell.after": Point(_FOLDER, "SinkFolder.tell_taken", before=False, role=KEEPER),
    "keeper.files.cleared": Point(_FOLDER, "SinkFolder.clear", before=False, role=KEEPER),
}
POINTS = {**_SCORERS, **_KEEPERS, **_SINKS, **_TAKING}
BESIDE_SINKS = frozenset(_TAKING)
"""What a keeper comes to only where sink workers write for it."""
WITHOUT_SINKS = frozenset({"keeper.log.inserted"})


def main() -> None:
    """Wrap the point, then be the product."""
    name, times, *arguments = sys.argv[1:]
    wrap(POINTS[name], int(times), die)
    sys.argv = ["sluicegate", *arguments]
    importlib.import_module("console.cli").main()


def wrap(point: Point, times: int, reached: Callable[[], None]) -> None:
    """Call ``reached`` the ``times``-th time. Raises AttributeError where there is no such point."""
    holder: Any = importlib.import_module(point.module)
    *outer, name = point.path.split(".")
    for each in outer:
        holder = getattr(holder, each)
    wrapped = getattr(holder, name)
    left = times

    def count(arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if point.saying is None or point.saying in arguments:
            left -= 1
            if left == 0:
                reached()

    def call(*arguments: Any, **named: Any) -> Any:
        if point.before:
            count(arguments)
        result = wrapped(*arguments, **named)
        if not point.before:
            count(arguments)
        return result

    setattr(holder, name, call)
    for module in list(sys.modules.values()):  # who has imported it by name
        if vars(module).get(name) is wrapped:
            setattr(module, name, call)


def die() -> None:
    """As the kernel or the power company would have it."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
