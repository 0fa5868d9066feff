"""What became of a run, and what was said of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from streams.kafka import read_to_end
from streams.messages import Alert

if TYPE_CHECKING:
    from training.keeper.parts import Parts
    from training.keeper.runs import Run, Runs


def pause() -> None:
    threading.Event().wait(0.1)


def of(runs: Runs, run: Run) -> Run:
    return next(found for found in runs.all() if found.run_id == run.run_id)


def alerts(parts: Parts, bootstrap: str) -> list[str]:
    found = read_to_end(bootstrap, parts.pipeline.topics.alerts)
    return [msgspec.json.decode(message.value() or b"", type=Alert).kind for message in found]
