"""Parity: the offline twin says what the oracle says, whatever the declaration and the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings

from tests.support.streams import DrawnStream, streams
from tests.support.streams_check import assert_parity
from tests.support.streams_declared import pipelines
from tests.support.streams_pipeline import RICH
from tests.support.streams_play import offline

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline


@settings(max_examples=4)
@given(stream=streams())
def test_every_aggregate_on_any_stream(stream: DrawnStream) -> None:
    assert_parity(offline, RICH, stream)


@settings(max_examples=50)
@given(pipeline=pipelines(), stream=streams())
def test_any_declaration_on_any_stream(pipeline: Pipeline, stream: DrawnStream) -> None:
    assert_parity(offline, pipeline, stream)
