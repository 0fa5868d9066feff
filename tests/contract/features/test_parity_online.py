"""Parity: the online store says what the oracle says, whatever the declaration and the stream.

So does a store that takes over from another one in the middle, from its state or from what was logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from tests.support.streams import MINUTE, DrawnEvent, DrawnStep, DrawnStream, streams
from tests.support.streams_check import assert_parity
from tests.support.streams_declared import pipelines
from tests.support.streams_pipeline import RICH, pipeline_of
from tests.support.streams_play import (
    online,
    reloaded,
    replayed,
    replayed_at_once,
    taken_back,
    widened,
)

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from tests.support.streams_play import Play


TAKING_OVER = [replayed, replayed_at_once, reloaded, taken_back, widened]


@settings(max_examples=40)
@given(stream=streams())
def test_every_aggregate_on_any_stream(stream: DrawnStream) -> None:
    assert_parity(online, RICH, stream)


@settings(max_examples=60)
@given(pipeline=pipelines(), stream=streams())
def test_any_declaration_on_any_stream(pipeline: Pipeline, stream: DrawnStream) -> None:
    assert_parity(online, pipeline, stream)


@pytest.mark.parametrize("way", TAKING_OVER, ids=lambda way: way.__name__)
class TestTakingOver:
    @settings(max_examples=6)
    @given(stream=streams())
    def test_every_aggregate_on_any_stream(self, way: Play, stream: DrawnStream) -> None:
        assert_parity(way, RICH, stream)

    @settings(max_examples=20)
    @given(pipeline=pipelines(), stream=streams())
    def test_any_declaration_on_any_stream(self, way: Play, pipeline: Pipeline, stream: DrawnStream) -> None:
        assert_parity(way, pipeline, stream)


def test_what_comes_late_is_not_newer_than_what_was_forgotten() -> None:
    spec = {"entity": "card", "windows": ["1m"], "count": True, "since_last": True, "horizon": "1h"}
    first = [drawn_event(0), drawn_event(-12)]  # the second is late, and beyond every row that is kept
    then = [drawn_event(-13), drawn_event(0)]
    steps = [DrawnStep(0, [], events, commits=True, hands_over=False) for events in (first, then)]
    assert_parity(online, pipeline_of([{**spec, "delay": "1ms"}]), DrawnStream(steps))


def drawn_event(minutes: int) -> DrawnEvent:
    return DrawnEvent(minutes * MINUTE, {"card": "a"}, let_through=True)
