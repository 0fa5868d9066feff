"""What librdkafka calls an error and our code answers does not alarm anybody."""

from __future__ import annotations

import logging

import pytest

import streams.kafka


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("TXNERR [scorer#producer-1] Current transaction failed: ILLEGAL_GENERATION", logging.INFO),
        ("GETPID [scorer#producer-1] Coordinator load in progress: retrying", logging.INFO),
        ("FAIL [scorer#producer-1] Connect to broker failed", logging.ERROR),
    ],
)
def test_expected_lines_are_news_and_others_stay_errors(
    caplog: pytest.LogCaptureFixture, line: str, level: int
) -> None:
    assert streams.kafka.plain_producer is not None
    logging.getLogger("librdkafka").error(line)
    assert [record.levelno for record in caplog.records] == [level]
