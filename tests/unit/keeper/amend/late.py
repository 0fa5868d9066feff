"""Late events as a scorer writes them that has forgotten, and a keeper that amends what was decided."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.units import to_text
from streams.kafka import read_to_end, transactional_producer
from streams.messages import Decision
from tests.support.models import counting_model
from tests.unit.keeper.written import MINUTE, START, decision, event_id, log_message
from training.keeper.amend import Amender
from training.keeper.sink import Sink

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts

COUNT = "card_count_1h"
CARD = "c1"
BEFORE = 8
"""Events of the card in the hour before the late one."""
MODEL = "m1"
LATE = BEFORE + 1
"""The source offset of the late event."""


def publish_model(parts: Parts) -> None:
    """A model that calls more than four events of a card in an hour fraud."""
    parts.publisher.publish(*counting_model(parts.pipeline, MODEL, COUNT), why="test")


def write_late(pipeline: Pipeline, bootstrap: str, *, decided: bool = True, **columns: Any) -> Decision:
    """Commit events of a card, one far ahead of them, and a late one; its window was cut to nothing.

    ``columns`` are what the late row says instead. Returns the decision about it, which is on its topic where
    ``decided``.
    """
    first = late_decision(pipeline)
    scorer = transactional_producer(bootstrap, f"{pipeline.name}.scorer")
    scorer.init_transactions(30)
    scorer.begin_transaction()
    ahead = START + 300 * MINUTE
    row: dict[str, Any] = {
        "card": CARD,
        "event_time": START + BEFORE * MINUTE,
        "arrived_at": ahead,
        "amount": Decimal("39.80"),
        "amount_eur": 39.8,
        COUNT: 0.0,
        "score": first.score,
        "model": first.model,
        "late": True,
    } | columns
    logs = [
        log_message(pipeline, 0, 0, BEFORE, card=CARD),
        log_message(pipeline, 0, BEFORE, 1, card=CARD, event_time=ahead, arrived_at=ahead),
        log_message(pipeline, 0, LATE, 1, **row),
    ]
    for log in logs:
        scorer.produce(pipeline.topics.features, value=log, partition=0)
    for offset in range(LATE):
        scorer.produce(pipeline.topics.decisions, value=decision(pipeline, 0, offset), partition=0)
    if decided:
        value = msgspec.json.encode(first)
        scorer.produce(pipeline.topics.decisions, value=value, key=CARD.encode(), partition=0)
    scorer.commit_transaction(30)
    return first


def late_decision(pipeline: Pipeline) -> Decision:
    """What was decided about the late event at first: nothing stood against it."""
    return msgspec.structs.replace(
        msgspec.json.decode(decision(pipeline, 0, LATE), type=Decision),
        event_time=to_text(START + BEFORE * MINUTE),
        event={"amount": msgspec.Raw(b"39.80")},
        score=0.01,
        model=MODEL,
        fallback=None,
        release=1,
        late=True,
    )


class Keeping:
    """A sink and an amender, as the keeper runs them side by side."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.sink = Sink(parts)
        self.amender = Amender(parts)

    def amend(self) -> int:
        """Sink what there is, then one look of the amender while the sink goes on."""
        over = threading.Event()
        sinking = threading.Thread(target=self._sink_until, args=(over,))
        sinking.start()
        try:
            assert self.parts.progress.wait_for(self.parts.ends(), over)
            return self.amender.step()
        finally:
            over.set()
            sinking.join()

    def settled(self) -> list[str | None]:
        """What became of the late events."""
        found = self.parts.store.execute("SELECT settled FROM late_events ORDER BY source_offset").fetchall()
        return [each for (each,) in found]

    def _sink_until(self, over: threading.Event) -> None:
        while not over.is_set():
            self.sink.step()


def decisions_about(pipeline: Pipeline, bootstrap: str, offset: int = LATE) -> list[tuple[int, int, bytes]]:
    """Every committed decision about an event of partition 0: where it stands, and the message."""
    messages = list(read_to_end(bootstrap, pipeline.topics.decisions))
    wanted = event_id(0, offset)
    return [
        (message.partition() or 0, message.offset() or 0, message.value() or b"")
        for message in messages
        if msgspec.json.decode(message.value() or b"", type=Decision).event_id == wanted
    ]


Start = Callable[..., Keeping]


def with_a_late_event(start: Start, pipeline: Pipeline, bootstrap: str) -> Keeping:
    """A keeper, the model that scored the event, and what its scorer wrote about it."""
    keeping = start()
    publish_model(keeping.parts)
    write_late(pipeline, bootstrap)
    return keeping
