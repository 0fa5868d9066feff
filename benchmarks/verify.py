"""Whether a contender did the job: one decision for every event, with the score that everyone finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from benchmarks.contest import ContestError
from feature_store.log import decode_log
from streams.kafka import read_to_end

if TYPE_CHECKING:
    from streams.kafka import Message

Scores = np.ndarray[tuple[int], np.dtype[np.float64]]

_CLOSE = 1e-9


class _Decided(msgspec.Struct):
    event_id: str
    score: float | None


_decode = msgspec.json.Decoder(_Decided).decode


def check(bootstrap: str, topic: str, events: int, expected: Scores, *, scored: bool) -> Scores:
    """The score of every event by its number. Raises ContestError where a decision is not what it should be.

    ``expected`` are the scores that others found, as far as they got.
    """
    scores, times = np.full(events, np.nan), np.zeros(events, np.int64)
    for message in read_to_end(bootstrap, topic):
        decided = _decode(message.value() or b"")
        number, score = _number(decided), decided.score
        times[number] += 1
        scores[number] = np.nan if score is None else score
    missing, twice = int((times == 0).sum()), int((times > 1).sum())
    if missing or twice:
        raise ContestError(f"{missing:,} events have no decision, {twice:,} more than one")
    both = min(events, len(expected)) if scored else 0
    wrong = int((~np.isclose(scores[:both], expected[:both], rtol=_CLOSE, atol=_CLOSE)).sum())
    if wrong:
        raise ContestError(f"{wrong:,} of {both:,} scores are not those that others found")
    return scores


def check_log(bootstrap: str, topic: str, events: int) -> None:
    """Raise ContestError where a feature log has not one row for every event."""
    rows = sum(decode_log(message.value() or b"")[0].num_rows for message in read_to_end(bootstrap, topic))
    if rows != events:
        raise ContestError(f"the feature log has {rows:,} rows for {events:,} events")


def number_of(decision: Message) -> int:
    """The number of the event that was decided."""
    return _number(_decode(decision.value() or b""))


def _number(decided: _Decided) -> int:
    return int(decided.event_id.rsplit("-", 1)[1], 16)
