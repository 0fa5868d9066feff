"""The dead letter: a refused record's own key and bytes; why and whence stand in its headers."""

from __future__ import annotations

from typing import Final

from feature_store.clock import ARRIVED_AT

REASON: Final = "reason"
DETAIL: Final = "detail"
SOURCE_TOPIC: Final = "source_topic"
SOURCE_PARTITION: Final = "source_partition"
SOURCE_OFFSET: Final = "source_offset"
SOURCE_TIME: Final = "source_time"
CUT_FROM: Final = "cut_from"
"""Bytes that the value had; there only where the letter keeps less."""
HEADERS_CUT_FROM: Final = "headers_cut_from"
"""Bytes that the producer's own headers had; there only where the letter keeps none of them."""
REDRIVEN_FROM: Final = "redriven_from"
"""On an event that was sent again: the partition and offset of its dead letter, ``3/17``."""

DEAD_LETTER_HEADERS: Final = frozenset(
    {
        REASON, DETAIL, SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET, SOURCE_TIME, CUT_FROM, ARRIVED_AT,
        HEADERS_CUT_FROM, REDRIVEN_FROM,
    }
)  # fmt: skip
"""The headers that mean something here; every other one is the producer's own."""
