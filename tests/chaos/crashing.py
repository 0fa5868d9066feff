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

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Point:
    """Before or after a call; ``saying``: of those only the calls whose first argument is this."""

    module: str
    path: str
    before: bool
    saying: str | None = None


_TRANSACTIONS = ("streams.kafka.group_transactions", "GroupTransactions._insist")
_MESSAGES = "streams.scorer.messages"
_SINK = "training.keeper.sink"
_SENDER = "training.keeper.sender"

SCORER = {
    "scorer.init.after": Point(*_TRANSACTIONS, before=False, saying="init_transactions"),
    "scorer.restore.before": Point("streams.scorer.recovery", "restore", before=True),
    "scorer.restore.after": Point("streams.scorer.recovery", "restore", before=False),
    "scorer.step.before": Point("streams.scorer.core", "ScorerCore.step", before=True),
    "scorer.step.after": Point("streams.scorer.core", "ScorerCore.step", before=False),
    "scorer.begin.after": Point(*_TRANSACTIONS, before=False, saying="begin_transaction"),
    "scorer.decisions.sent": Point(_MESSAGES, "StepMessages.decisions", before=False),
    "scorer.log.sent": Point(_MESSAGES, "StepMessages.log", before=False),
    "scorer.dead_letters.sent": Point(_MESSAGES, "StepMessages.dead_letters", before=False),
    "scorer.offsets.after": Point(*_TRANSACTIONS, before=False, saying="send_offsets"),
    "scorer.commit.before": Point(*_TRANSACTIONS, before=True, saying="commit"),
    "scorer.commit.after": Point(*_TRANSACTIONS, before=False, saying="commit"),
    "scorer.state.kept": Point("streams.scorer.core", "ScorerCore.commit", before=False),
    "scorer.snapshot.captured": Point("streams.scorer.snapshots", "Snapshots._capture", before=False),
    "scorer.snapshot.put.before": Point("feature_store.objects", "ObjectFolder.put", before=True),
    "scorer.snapshot.put.after": Point("feature_store.objects", "ObjectFolder.put", before=False),
    "scorer.snapshot.old_removed": Point("feature_store.objects", "ObjectFolder.delete", before=False),
}
KEEPER = {
    "keeper.start.offsets": Point("training.keeper.start", "starting_offsets", before=False),
    "keeper.outbox.recovered": Point("training.keeper.outbox", "recover_outbox", before=False),
    "keeper.taken": Point(_SINK, "Sink._take", before=False),
    "keeper.log.inserted": Point(_SINK, "Sink._add_log", before=False),
    "keeper.row.inserted": Point(_SINK, "Sink._insert", before=False),
    "keeper.routed": Point("training.keeper.routing", "Router.route", before=False),
    "keeper.offsets.moved": Point(_SINK, "Sink._move", before=False),
    "keeper.commit.after": Point(_SINK, "Sink._write", before=False),
    "keeper.deltas.send.before": Point(_SENDER, "DeltaSender._send", before=True),
    "keeper.deltas.sent": Point(_SENDER, "DeltaSender._send", before=False),
    "keeper.deltas.noted": Point(_SENDER, "DeltaSender.step", before=False),
    "keeper.publish.begun": Point("training.writer", "_commit", before=True),
    "keeper.publish.commit.before": Point("training.writer", "_commit_for_certain", before=True),
    "keeper.publish.commit.after": Point("training.writer", "_commit_for_certain", before=False),
}
POINTS = {**SCORER, **KEEPER}


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
