"""A sink and a sender at work, and the deltas that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from streams.kafka import read_to_end
from streams.messages import OutcomeDelta
from tests.unit.keeper.sink.sinking import outcome
from tests.unit.keeper.written import MINUTE, START, event_id, until, write_batches, write_outcomes
from training.keeper.sender import DeltaSender
from training.keeper.sink import Sink
from training.keeper.store import STORE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from training.keeper.parts import Parts

Delta = tuple[int, OutcomeDelta]


class Running:
    """A sink and a sender, as the keeper runs them."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.sink = Sink(parts)
        self.sender = DeltaSender(parts)

    def catch_up(self) -> None:
        ends = self.parts.ends()
        sunk = self.parts.progress
        until(lambda: all(sunk.offsets().get(at, 0) >= end for at, end in ends.items()), self.sink.step)

    def dies_before_it_notes(self) -> None:
        """It has sent, and its store does not know."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("training.keeper.sender.transaction", _power_cut)
            with pytest.raises(OSError, match="power cut"):
                self.sender.step()


def sent_before_its_store_was_lost(start: Callable[[], Running], folder: Path) -> Running:
    """Two deltas were sent; the store is gone, and the first of them was taken back since."""
    running = start()
    pipeline, bootstrap = running.parts.pipeline, running.parts.settings.bootstrap
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3)), outcome(event_id(1, 5))], START)
    running.catch_up()
    assert running.sender.step() == 2
    running.parts.store.close()
    (folder / STORE).unlink()
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3), "legitimate")], START + MINUTE)
    return start()


def deltas_on(bootstrap: str, topic: str) -> list[Delta]:
    """Partition and delta of every message on the topic, in the order of each partition."""
    messages = list(read_to_end(bootstrap, topic))
    return [(m.partition() or 0, msgspec.json.decode(m.value() or b"", type=OutcomeDelta)) for m in messages]


def _power_cut(*_: object) -> None:
    raise OSError("power cut")
