"""How far a trainer has come, and what it said: from the end of the log in its run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

LOG = "trainer.log"
_MOST_BYTES = 65_536
_PROGRESS = "training_progress"


class Step(msgspec.Struct, frozen=True):
    """One thing that the trainer said about its progress; ``numbers`` by name."""

    name: str
    numbers: dict[str, Any]


def steps_of(folder: Path) -> list[Step]:
    """The steps so far, in order; of fitting only the newest round before the next step.

    No step is told where nothing was written yet, or the folder is gone.
    """
    found: list[Step] = []
    for line in lines_of(folder):
        said = _decoded(line)
        if said.pop("event", None) != _PROGRESS:
            continue
        step = Step(str(said.pop("step", "")), said)
        if found and found[-1].name == step.name == "fitting":
            found.pop()
        found.append(step)
    return found


def lines_of(folder: Path) -> list[str]:
    """The newest lines of the log, whole ones, oldest first."""
    try:
        with (folder / LOG).open("rb") as log:
            log.seek(0, 2)
            begin = max(0, log.tell() - _MOST_BYTES)
            log.seek(begin)
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return lines[1:] if begin else lines


def _decoded(line: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}
