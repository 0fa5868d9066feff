"""A sink that has read everything, and what is in its store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from feature_store.units import to_text
from tests.unit.keeper.written import START, until
from training.keeper.parts import Parts
from training.keeper.sink import Sink

NewParts = Callable[..., Parts]
NewSink = Callable[..., tuple[Sink, Parts]]


def catch_up(sink: Sink, parts: Parts) -> None:
    ends = parts.ends()
    until(lambda: all(parts.progress.offsets().get(at, 0) >= end for at, end in ends.items()), sink.step)


def ask(parts: Parts, query: str) -> list[tuple[Any, ...]]:
    return list(parts.store.execute(query).fetchall())


def outcome(
    event: str, label: str = "fraud", observed_at: str = to_text(START), source: str = "analyst"
) -> bytes:
    return msgspec.json.encode(
        {"event_id": event, "label": label, "observed_at": observed_at, "source": source}
    )
